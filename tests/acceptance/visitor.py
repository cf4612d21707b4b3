"""Somebody in front of the portal, over HTTP: opens pages, follows links, fills forms in. No JavaScript."""

import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import lxml.html


class Failed(Exception):
    """The portal did not do what the story says."""


class Visitor:
    """One browser with its own cookies. `page` is what it shows now; `url`, where."""

    def __init__(self, base_url: str):
        self.base_url = base_url.rstrip("/")
        self.cookies = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.url = self.base_url
        self.page = lxml.html.fromstring("<html><body></body></html>")

    def open(self, path: str, data: bytes | None = None) -> None:
        """Go there. Failed: another answer than a page, with what the page says."""
        address = urllib.parse.urljoin(self.base_url, path)
        if not address.startswith(self.base_url + "/") and address != self.base_url:
            raise Failed(f"{address} leaves the portal")
        request = urllib.request.Request(address, data=data, headers={"Referer": self.url})
        try:
            with self.opener.open(request, timeout=30) as answer:
                self._show(answer)
        except urllib.error.HTTPError as error:
            with error:
                self._show(error)
            raise Failed(f"{address} answered {error.code}: {self.complaints()}") from None

    def follow(self, words: str) -> None:
        """Follow the first link that says these words."""
        for link in self.page.iter("a"):
            if words in text_of(link):
                self.open(link.get("href"))
                return
        raise Failed(f"no link « {words} » on {self.url}")

    def form(self, button: str):
        """The form whose button says these words."""
        for form in self.page.forms:
            if any(button in text_of(each) for each in form.iter("button")):
                return form
        raise Failed(f"no button « {button} » on {self.url}; the page says: {self.complaints()}")

    def filled(self, button: str, **fields) -> tuple[str, bytes | None]:
        """Where this form goes once these fields are filled in, and what it posts; None for a search."""
        form = self.form(button)
        for name, value in fields.items():
            if name not in form.fields:
                raise Failed(f"no field « {name} » beside « {button} » on {self.url}")
            form.fields[name] = value
        address = urllib.parse.urljoin(self.url, form.action or self.url)
        data = urllib.parse.urlencode(form.form_values())
        if form.method == "GET":
            return f"{address.partition('?')[0]}?{data}", None
        return address, data.encode()

    def press(self, button: str, **fields) -> None:
        """Fill these fields in and press the button."""
        self.open(*self.filled(button, **fields))

    def says(self, words: str) -> bool:
        return words in text_of(self.page)

    def must_say(self, words: str) -> None:
        if not self.says(words):
            raise Failed(f"{self.url} does not say « {words} »; it says: {self.complaints()}")

    def complaints(self) -> str:
        """The errors that the page shows, else its title."""
        errors = self.page.xpath("//*[contains(@class, 'alert--error') or contains(@class, 'field__error')]")
        found = [text_of(element) for element in errors]
        return " / ".join(found) or (self.page.findtext(".//title") or "").strip()

    def sign_in(self, email: str, password: str) -> None:
        self.open("/connexion/login/")
        self.press("Me connecter", login=email, password=password)
        self.must_say("Me déconnecter")

    def _show(self, answer) -> None:
        self.url = answer.geturl()
        self.page = lxml.html.fromstring(answer.read().decode(), base_url=self.url)


def text_of(element) -> str:
    """What one reads of it, blanks made one."""
    return " ".join(element.text_content().split())
