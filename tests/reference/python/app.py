"""A page by Flask; what was compiled during the build says so."""
import os

import flask
from markupsafe import _speedups  # the C half: there only if a compiler was there

app = flask.Flask(__name__)


@app.get("/")
def page():
    return f"python uid={os.getuid()} compiled={_speedups.__file__.endswith('.so')} mode={os.environ['APP_MODE']}\n"


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8000)
