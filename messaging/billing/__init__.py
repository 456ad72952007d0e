"""Money: packages, payments, refunds and disputes, plans with an allowance, invoices."""
