"""Somebody in front of the portal, without JavaScript: opens pages, follows links, fills forms in.

`HttpVisitor` speaks to a portal that runs; `ClientVisitor` to Django's test client, with CSRF checked.
"""

import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import lxml.html


class Failed(AssertionError):
    """The portal did not do what the story says."""


class Visitor:
    """One browser. `page` is what it shows now; `url`, where; `status`, how the portal answered."""

    base_url = "http://testserver"

    def __init__(self):
        self.url = self.base_url
        self.status = 200
        self.page = lxml.html.fromstring("<html><body></body></html>")

    def open(self, path: str, data: bytes | None = None) -> None:
        """Go there, or post there. Failed: the portal refuses, with what the page says."""
        self.try_to_open(path, data)
        if self.status >= 400:
            raise Failed(f"{self.url} answered {self.status}: {self.complaints()}")

    def try_to_open(self, path: str, data: bytes | None = None) -> None:
        """The same, where a refusal is part of the story."""
        address = urllib.parse.urljoin(self.base_url, path)
        if not address.startswith(self.base_url):
            raise Failed(f"{address} leaves the portal")
        self.status, self.url, html = self._fetch(address, data)
        self.page = lxml.html.fromstring(html, base_url=self.url)

    def _fetch(self, address: str, data: bytes | None) -> tuple[int, str, str]:
        raise NotImplementedError

    def follow(self, words: str) -> None:
        """Follow the first link that says these words."""
        for link in self.page.iter("a"):
            if plain(words) in text_of(link):
                self.open(link.get("href"))
                return
        raise Failed(f"no link « {words} » on {self.url}")

    def form(self, button: str):
        """The form whose button says these words."""
        for form in self.page.forms:
            if any(plain(button) in text_of(each) for each in form.iter("button")):
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
        pressed = next(each for each in form.iter("button") if plain(button) in text_of(each))
        named = [(pressed.get("name"), pressed.get("value", ""))] if pressed.get("name") else []
        data = urllib.parse.urlencode([*form.form_values(), *named])
        if form.method == "GET":
            return f"{address.partition('?')[0]}?{data}", None
        return address, data.encode()

    def press(self, button: str, **fields) -> None:
        """Fill these fields in and press the button."""
        self.open(*self.filled(button, **fields))

    def try_to_press(self, button: str, **fields) -> None:
        """The same, where a refusal is part of the story."""
        self.try_to_open(*self.filled(button, **fields))

    def says(self, words: str) -> bool:
        return plain(words) in text_of(self.page)

    def must_say(self, words: str) -> None:
        if not self.says(words):
            raise Failed(f"{self.url} does not say « {words} »; it says: {text_of(self.page)[:3000]}")

    def offers(self, button: str) -> bool:
        """There is such a button, or such a link."""
        return any(plain(button) in text_of(each) for each in self.page.iter("button", "a"))

    def complaints(self) -> str:
        """The errors that the page shows, else its title."""
        errors = self.page.xpath("//*[contains(@class, 'alert--error') or contains(@class, 'field__error')]")
        found = [text_of(element) for element in errors]
        return " / ".join(found) or (self.page.findtext(".//title") or "").strip()

    def sign_in(self, email: str, password: str) -> None:
        self.open("/connexion/login/")
        self.press("Me connecter", login=email, password=password)
        self.must_say("Me déconnecter")


class HttpVisitor(Visitor):
    def __init__(self, base_url: str):
        self.base_url = base_url.rstrip("/")
        super().__init__()
        self.cookies = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def _fetch(self, address, data):
        request = urllib.request.Request(address, data=data, headers={"Referer": self.url})
        try:
            with self.opener.open(request, timeout=30) as answer:
                return answer.status, answer.geturl(), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.geturl(), error.read().decode()


class ClientVisitor(Visitor):
    """`client`: a django.test.Client(enforce_csrf_checks=True)."""

    def __init__(self, client):
        super().__init__()
        self.client = client

    def _fetch(self, address, data):
        path = address.removeprefix(self.base_url) or "/"
        if data is None:
            answer = self.client.get(path, follow=True)
        else:
            form = "application/x-www-form-urlencoded"
            answer = self.client.post(path, data, content_type=form, follow=True)
        asked = answer.request
        query = f"?{asked['QUERY_STRING']}" if asked.get("QUERY_STRING") else ""
        return answer.status_code, f"{self.base_url}{asked['PATH_INFO']}{query}", answer.text


def text_of(element) -> str:
    """What one reads of it."""
    return plain(element.text_content())


def plain(words: str) -> str:
    """Blanks made one, apostrophes straight: a story tells words, not typography."""
    return " ".join(words.split()).replace("’", "'")
