"""Build what the look takes from others, Bootstrap's base and Tabler's icons, and our mark as pictures.

    python3 dev.py run tools/build_face.py

Run by hand when a version below or the list of icons (ui.templatetags.ui.ICONS) changes; what it writes is
committed. Needs node and npm. docs/adr/0006-a-small-css-base.md says why these parts, and no more.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

BOOTSTRAP, SASS, TABLER = "5.3.9", "1.108.2", "3.51.0"

ROOT = Path(__file__).resolve().parent.parent
SPRITE = ROOT / "static/img/icons.svg"
BASE = ROOT / f"static/vendor/bootstrap-base-{BOOTSTRAP}.css"
LICENCE = ROOT / "static/vendor/bootstrap-LICENSE.txt"

# Bootstrap's variables, set to our tokens. Elements have no outer margin: parts space what they hold.
SOURCE = """
$prefix: "";
$enable-rfs: false;
$enable-smooth-scroll: false;
$enable-reduced-motion: false;
$paragraph-margin-bottom: 0;
$headings-margin-bottom: 0;
$headings-font-weight: 700;
$h1-font-size: var(--size-h1);
$h2-font-size: var(--size-h2);
$h3-font-size: var(--size-lead);
$h4-font-size: var(--size-text);
$dt-font-weight: 400;
$legend-font-size: var(--size-text);
$legend-margin-bottom: 0;
$small-font-size: var(--size-small);
$code-font-size: var(--size-small);
@import "bootstrap/scss/functions", "bootstrap/scss/variables", "bootstrap/scss/variables-dark",
  "bootstrap/scss/maps", "bootstrap/scss/mixins", "bootstrap/scss/reboot";
"""
# What the compiled sheet still asks of Bootstrap's own custom properties, in ours.
TOKENS = {
    "var(--body-font-family)": "var(--font)",
    "var(--body-font-size)": "var(--size-text)",
    "var(--body-font-weight)": "400",
    "var(--body-line-height)": "1.5",
    "var(--body-text-align)": "start",
    "var(--body-color)": "var(--text)",
    "var(--body-bg)": "var(--page)",
    "var(--heading-color)": "inherit",
    "var(--secondary-color)": "var(--quiet)",
    "var(--code-color)": "inherit",
    "var(--highlight-color)": "inherit",
    "var(--highlight-bg)": "var(--waiting-soft)",
    "var(--border-width)": "1px",
    "var(--font-monospace)": "ui-monospace, monospace",
    "rgba(var(--link-color-rgb), var(--link-opacity, 1))": "var(--action)",
    "  --link-color-rgb: var(--link-hover-color-rgb);": "  color: var(--action-hover);",
}
HEAD = (
    f"/* Reboot of Bootstrap {BOOTSTRAP}, MIT licence: bootstrap-LICENSE.txt. See tools/build_face.py. */\n"
)

# Our name of an icon → Tabler's, where they differ.
NAMES = {
    "alert": "alert-triangle",
    "calendar": "calendar-event",
    "chart": "chart-bar",
    "cross": "x",
    "device": "device-desktop",
    "distance": "device-laptop",
    "edit": "pencil",
    "euro": "currency-euro",
    "external": "external-link",
    "file": "file-text",
    "help": "help-circle",
    "info": "info-circle",
    "menu": "menu-2",
    "no-call": "phone-off",
    "pause": "player-pause",
    "people": "users",
    "person": "user",
    "play": "player-play",
    "print": "printer",
    "rows": "layout-rows",
    "undo": "arrow-back-up",
}
SYMBOL = (
    '<symbol id="{}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2"'
    ' stroke-linecap="round" stroke-linejoin="round">{}</symbol>'
)


def icon_names() -> list[str]:
    """The names that templates may use, read where they are listed: this script needs no Django."""
    code = (ROOT / "ui/templatetags/ui.py").read_text()
    [listed] = re.findall(r"ICONS = frozenset\(\{(.*?)\}\)", code, re.DOTALL)
    return sorted(re.findall(r'"([\w-]+)"', listed))


def css(packages: Path) -> str:
    source = packages / "base.scss"
    source.write_text(SOURCE)
    # Bootstrap 5 still uses @import, which newer Sass warns about.
    silent = "--silence-deprecation=import,global-builtin,color-functions,if-function"
    options = ["--no-source-map", "--quiet", silent, "--load-path=node_modules"]
    done = subprocess.run(
        ["node_modules/.bin/sass", *options, source.name],
        cwd=packages,
        check=True,
        capture_output=True,
        text=True,
    )
    text = re.sub(r"/\* rtl:raw:.*?\*/\n", "", done.stdout, flags=re.DOTALL)
    for theirs, ours in TOKENS.items():
        if theirs not in text:
            raise SystemExit(f"Bootstrap no longer says « {theirs} »: look again at TOKENS.")
        text = text.replace(theirs, ours)
    if left := re.findall(r"var\(--(?!font|size-|text|page|quiet|action|waiting)[^)]*\)", text):
        raise SystemExit(f"No token of ours stands for {sorted(set(left))}.")
    return HEAD + text


def sprite(packages: Path) -> str:
    drawn = packages / "node_modules/@tabler/icons/icons/outline"
    symbols = []
    for name in icon_names():
        svg = (drawn / f"{NAMES.get(name, name)}.svg").read_text()
        paths = re.findall(r"<(?:path|circle|rect)\b[^>]*/>", svg)
        symbols.append(SYMBOL.format(name, "".join(path for path in paths if 'stroke="none"' not in path)))
    # Our mark with them, since each page shows it.
    lines = (ROOT / "static/img/logo.svg").read_text().splitlines()
    mark = "".join(line.strip() for line in lines[1:-1])
    symbols.append(f'<symbol id="logo" viewBox="0 0 48 48">{mark}</symbol>')
    head = f"<!-- Symbols of Tabler Icons {TABLER}, MIT licence: tabler-icons-LICENSE.txt -->"
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg">', head, *symbols, "</svg>\n"])


# The mark of static/img/logo.svg, on its square of 48: the stairs, their stroke, the sun.
STAIRS = [(9, 38), (18, 38), (18, 30), (27, 30), (27, 22), (36, 22), (36, 15)]
STROKE, SUN, SUN_RADIUS = 4.5, (36, 9), 3.6
TEAL, PAPER, AMBER = "#0B5D5E", "#FFFFFF", "#FFBF47"
SAND, INK, QUIET = "#F7F5F0", "#1B1F2A", "#555C6B"
# A phone may cut an icon to a circle of 80 % of its width: the mark stays inside.
SIZES, SCALE, SMOOTH = (180, 192, 512), 0.8, 4
# As wide as previews elsewhere are shown.
PREVIEW = (1200, 630)


def mark(size: int) -> Image.Image:
    """The mark on a full square, drawn larger and brought down so that its edges are smooth."""
    unit = size * SMOOTH / 48
    picture = Image.new("RGB", (size * SMOOTH, size * SMOOTH), TEAL)
    draw = ImageDraw.Draw(picture)

    def dot(at: tuple[float, float], radius: float, colour: str) -> None:
        x, y = ((24 + (each - 24) * SCALE) * unit for each in at)
        r = radius * SCALE * unit
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    points = [tuple((24 + (each - 24) * SCALE) * unit for each in point) for point in STAIRS]
    draw.line(points, fill=PAPER, width=round(STROKE * SCALE * unit))
    for point in STAIRS:
        dot(point, STROKE / 2, PAPER)
    dot(SUN, SUN_RADIUS, AMBER)
    return picture.resize((size, size), Image.Resampling.LANCZOS).quantize(64)


def preview() -> Image.Image:
    """What stands beside the address of a page that somebody sends: our mark and our name, on paper."""
    width, height = PREVIEW
    picture = Image.new("RGB", PREVIEW, SAND)
    picture.paste(mark(220).convert("RGB"), (90, (height - 220) // 2))
    draw = ImageDraw.Draw(picture)
    bold = ImageFont.truetype(ROOT / "ui/fonts/atkinson-hyperlegible-next-700.ttf", 92)
    plain = ImageFont.truetype(ROOT / "ui/fonts/atkinson-hyperlegible-next-400.ttf", 40)
    draw.text((370, height // 2 - 20), "Portail formation", font=bold, fill=INK, anchor="ls")
    draw.text(
        (372, height // 2 + 60),
        "Vos droits, les formations, vos inscriptions",
        font=plain,
        fill=QUIET,
        anchor="ls",
    )
    draw.rectangle((0, height - 12, width, height), fill=TEAL)
    return picture.quantize(64)


def main() -> None:
    preview().save(ROOT / "static/img/preview.png", optimize=True)
    for size in SIZES:
        mark(size).save(ROOT / f"static/img/icon-{size}.png", optimize=True)
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder)
        wanted = [f"bootstrap@{BOOTSTRAP}", f"sass@{SASS}", f"@tabler/icons@{TABLER}"]
        install = ["npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        subprocess.run([*install, *wanted], cwd=packages, check=True)
        BASE.write_text(css(packages))
        LICENCE.write_text((packages / "node_modules/bootstrap/LICENSE").read_text())
        SPRITE.write_text(sprite(packages))
    for path in (BASE, SPRITE):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
