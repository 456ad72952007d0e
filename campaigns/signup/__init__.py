"""The public pages behind a store's QR codes and NFC tags: signing up, and using an offer."""
