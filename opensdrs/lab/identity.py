"""The lab's users: written into the control plane's database before it starts, as an operator would bootstrap one."""

import json
import secrets
from dataclasses import asdict, dataclass

from opensdrs.iam.bootstrap import Bootstrap
from opensdrs.iam.keys import load_keys
from opensdrs.iam.model import Role
from opensdrs.iam.passwords import Passwords
from opensdrs.lab.layout import Layout, write_private
from opensdrs.main.config import read
from opensdrs.store import migrate
from opensdrs.store.database import Database

DOMAIN = "lab-domain"
_PROJECTS = (("lab", "operator"), ("other", "stranger"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user of one project, and all that a client needs to log in."""

    project: str
    project_id: str
    user: str
    password: str
    access_key: str
    secret_key: str


async def ensure_accounts(layout: Layout) -> dict[str, Account]:
    """Make the lab's projects and users, once; return them by the project's name. The control plane is not running."""
    path = layout.control / "accounts.json"
    if path.exists():
        return {row["project"]: Account(**row) for row in json.loads(path.read_text())}
    config = read(layout.control_config)
    config.data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(config.sqlite_url("sdrs.sqlite"))
    try:
        await migrate.upgrade(database)
        bootstrap = Bootstrap(database, load_keys(config.path(config.iam.key_file)), Passwords())
        accounts = [await _ensure(bootstrap, project, user) for project, user in _PROJECTS]
    finally:
        await database.close()
    write_private(path, json.dumps([asdict(account) for account in accounts], indent=2))
    return {account.project: account for account in accounts}


async def _ensure(bootstrap: Bootstrap, project_name: str, user_name: str) -> Account:
    password = secrets.token_urlsafe(12)
    project = await bootstrap.ensure_project(project_name, DOMAIN)
    user = await bootstrap.ensure_user(user_name, DOMAIN, password)
    for role in (Role.ADMIN, *((Role.SYSTEM_ADMIN,) if project_name == "lab" else ())):
        await bootstrap.ensure_grant(user, project, role)
    access_key, secret_key = await bootstrap.ensure_access_key(user)
    return Account(
        project=project_name,
        project_id=project.id,
        user=user_name,
        password=password,
        access_key=access_key,
        secret_key=secret_key,
    )
