"""Web addresses after the public patterns of shops in ten countries; every shop is invented."""

from __future__ import annotations

from itertools import product

# By country: hosts, words of paths as browsers show them, and a search.
_SHOPS = {
    "gr": (
        ["shop.example.gr", "www.παπούτσια.example", "παράδειγμα.ελ"],
        ["προσφορές", "γυναικεία/φορέματα", "καλάθι-αγορών", "προϊόντα/κρέμα-νύχτας-50ml"],
        "αναζήτηση=λευκό πουκάμισο",
    ),
    "de": (
        ["www.müller-schuhe.example", "shop.example.de", "größe.example"],
        ["angebote/frühjahr", "damen/röcke_kleider", "süßes-&-salziges", "p/spülmittel-1,5l"],
        "suche=weiße hose",
    ),
    "fr": (
        ["www.café-crème.example", "boutique.example.fr", "mode.example.fr:8443"],
        ["été/robes", "c/maison-décoration", "produit/thé-à-la-menthe.html", "soldes/-50%"],
        "q=crème brûlée",
    ),
    "es": (
        ["www.niños.example", "tienda.example.es", "m.tienda.example.es"],
        ["rebajas/año-nuevo", "moda/mujer;talla=s", "p/jamón-ibérico_(100g)", "col·lecció/otoño"],
        "buscar=camisón rosa",
    ),
    "it": (
        ["negozio.example.it", "www.caffè.example", "outlet.example.it"],
        ["novità/più-venduti", "donna/t-shirt", "p/tè-verde~bio", "città/perché-noi"],
        "cerca=maglia perché no",
    ),
    "pl": (
        ["sklep.example.pl", "www.żółty-ser.example", "zakupy.example.pl"],
        ["wyprzedaż/zima", "dla-dzieci/śpiochy", "p/łóżko-140x200", "święta/źródło"],
        "szukaj=buty męskie",
    ),
    "bg": (
        ["магазин.example", "shop.example.bg", "оферти.бг"],
        ["промоции/обувки", "жени/рокли", "продукт/чаша-за-кафе", "нови+стоки"],
        "търси=черно яке",
    ),
    "tr": (
        ["www.çiçek.example", "magaza.example.tr", "alışveriş.example"],
        ["kadın/gömlek", "indirim/şubat", "ürün/ipek-eşarp-p-1234", "çok_satanlar"],
        "ara=kırmızı elbise",
    ),
    "se": (
        ["www.kök.example", "butik.example.se", "möbler.example"],
        ["rea/hösten", "barn/stövlar", "produkt/fåtölj-grå", "kläder/80-talet"],
        "sök=blå tröja",
    ),
    "us": (
        ["shop.example.com", "www.example-store.com", "deals.example.co"],
        ["Black_Friday_(shopping)", "dp/B00EXAMPLE/ref=sr_1_1", "women's/tops", "a/b/c.html"],
        "q=t-shirt|men",
    ),
}
_ENDS = (
    "",
    "/",
    "?{search}",
    "?utm_source=sms&utm_campaign=spring%20sale",
    "?f[colour]=1&sort=-price",
    "#/{fragment}",
    "/100%25?next=https://pay.example/a%2Fb",
    "?id=1&id=2;3#top",
    "?lang=el_GR&page=2&size=40/42",
)


def shop_addresses() -> list[str]:
    """More than 1,000 different addresses, with no space in them."""
    addresses = []
    for hosts, paths, search in _SHOPS.values():
        for host, path, end in product(hosts, paths, _ENDS):
            filled = end.format(search=search.replace(" ", "+"), fragment=path.split("/")[0])
            addresses.append(f"https://{host}/{path}{filled}")
        addresses += [f"http://{host}" for host in hosts]
    return addresses
