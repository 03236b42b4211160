"""The program that the demo's template keeps running: one page, and the process that serves it."""

import os

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def root() -> dict[str, object]:
    return {"message": "ready before you asked", "pid": os.getpid()}
