"""What the common extensions of Flask add to an application that they are handed.

Seen by handing an application to each one, in its newest version, and looking at the functions that it has then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ADDS: Final[Mapping[str, tuple[str, ...]]] = {
    "flask_cors.CORS": ("after_request",),
    "flask_wtf.CSRFProtect": ("before_request",),
    "flask_wtf.csrf.CSRFProtect": ("before_request",),
    "flask_login.LoginManager": ("after_request",),
    "flask_limiter.Limiter": ("before_request", "after_request", "teardown_request"),
    "flask_talisman.Talisman": ("before_request", "after_request"),
    "flask_compress.Compress": ("after_request",),
    "flask_principal.Principal": ("before_request",),
    "flask_seasurf.SeaSurf": ("before_request", "after_request"),
    "flasgger.Swagger": ("after_request",),
    "flask_socketio.SocketIO": ("wrap",),
    **dict.fromkeys(
        (
            *("flask_sqlalchemy.SQLAlchemy", "flask_migrate.Migrate", "flask_session.Session", "flask_caching.Cache"),
            *("flask_jwt_extended.JWTManager", "flask_mail.Mail", "flask_mailman.Mail", "flask_babel.Babel"),
            *("flask_bcrypt.Bcrypt", "flask_marshmallow.Marshmallow", "flask_restful.Api", "flask_smorest.Api"),
            *("flask_restx.Api", "flask_admin.Admin", "flask_moment.Moment", "flask_pymongo.PyMongo"),
            *("flask_apscheduler.APScheduler", "flask_sock.Sock", "flask_assets.Environment"),
            *("flask_redis.FlaskRedis",),
        ),
        (),
    ),
}
"""By dotted name: the ways in which it adds a layer each, as `Layer.means` has them."""
CLASSES: Final = frozenset(name.rpartition(".")[2] for name in ADDS)
"""Their last names."""
