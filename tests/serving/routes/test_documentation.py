"""The page of /docs comes from this machine alone, and shows nothing without the key."""

import re
import shutil
import socket
import subprocess
import threading
from urllib.parse import urljoin

import pytest
import uvicorn

from tests.serving.conftest import Shop

NAMED = re.compile(r'(?:src|href)="([^"]*)"')


def addresses(page: str) -> set[str]:
    """What a browser that shows `page` asks for."""
    found = {urljoin("/docs", each) for each in NAMED.findall(page) if not each.startswith("data:")}
    assert found
    return found


def test_every_file_that_the_page_names_is_served_here_and_without_a_key(open_shop) -> None:
    shop = open_shop(api_key="sesame")
    page = shop.client.get("/docs")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    kinds = {".js": "javascript", ".css": "text/css"}
    for address in addresses(page.text):
        assert address.startswith("/docs/"), "nothing comes from elsewhere"
        file = shop.client.get(address)
        assert file.status_code == 200
        assert kinds[address[address.rindex(".") :]] in file.headers["Content-Type"]
        assert len(file.content) > 100


def test_the_page_runs_scripts_of_this_service_only(shop: Shop) -> None:
    page = shop.client.get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not re.search(r"<script(?! src=)|<style|\son\w+=|https?://", page.text), "all scripts are files"
    script = shop.client.get("/docs/page.js").text
    assert not re.search(r"https?://|innerHTML|eval|localStorage|document\.cookie", script)


@pytest.mark.parametrize(("key", "status"), [("", 401), ("sesame", 200)])
def test_what_the_page_shows_asks_for_the_key(open_shop, key: str, status: int) -> None:
    shop = open_shop(api_key="sesame")
    assert shop.client.get("/openapi.json", headers={"X-API-Key": key}).status_code == status
    assert 'fetch("openapi.json"' in shop.client.get("/docs/page.js").text


@pytest.mark.slow
def test_a_browser_shows_every_route_under_the_policy(shop: Shop, tmp_path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("needs Debian's chromium")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(shop.client.app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/docs"
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
        command = [browser, *options, "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"]
        try:
            shown = subprocess.run([*command, address], capture_output=True, text=True, timeout=120)
        finally:
            server.should_exit = True
            thread.join()
    operations = sum(len(path) for path in shop.client.get("/openapi.json").json()["paths"].values())
    assert len(re.findall(r'class="opblock opblock-\w+', shown.stdout)) == operations
    assert "Content Security Policy" not in shown.stderr
