"""The report in a real browser: headless Chromium, installed by scripts/browser-setup."""
