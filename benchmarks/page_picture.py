"""A picture of a page, as docs/page.png was made.

    charrnn train tinyshakespeare.txt --time 10m && charrnn page tinyshakespeare
    python benchmarks/page_picture.py tinyshakespeare.html docs/page.png --height 900

Needs `pip install '.[test]'`, Chromium and its driver (apt-get install chromium chromium-driver).
"""

import sys
from base64 import b64decode
from pathlib import Path

import click

sys.path.append(str(Path(__file__).parent.parent / "tests"))


@click.command(help=__doc__)
@click.argument("page", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("picture", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--prompt", default="ROMEO:", show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--width", default=1100, show_default=True)
@click.option("--height", default=760, show_default=True)
@click.option("--scheme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
def main(
    page: Path, picture: Path, prompt: str, seed: int, width: int, height: int, scheme: str
) -> None:
    from browsing import Opened, start_browser

    browser = start_browser()
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    try:
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        Opened(browser, page).write(prompt=prompt, seed=seed)
        browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    finally:
        browser.quit()
    picture.write_bytes(b64decode(shot["data"]))


if __name__ == "__main__":
    main()
