"""The first schema: identity and the built-in cloud."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "active_domains",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("sold_out", sa.Boolean(), nullable=False),
        sa.Column("local_site", sa.Text(), nullable=False),
        sa.Column("remote_site", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_active_domains")),
    )
    op.create_table(
        "dedicated_hosts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dedicated_hosts")),
    )
    with op.batch_alter_table("dedicated_hosts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dedicated_hosts_project_id"), ["project_id"], unique=False)
    op.create_table(
        "flavors",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vcpus", sa.Integer(), nullable=False),
        sa.Column("memory_mib", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flavors")),
    )
    op.create_table(
        "iam_domains",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_iam_domains")),
        sa.UniqueConstraint("name", name=op.f("uq_iam_domains_name")),
    )
    op.create_table(
        "iam_revoked_tokens",
        sa.Column("token_id", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_iam_revoked_tokens")),
    )
    with op.batch_alter_table("iam_revoked_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_iam_revoked_tokens_expires_at"), ["expires_at"], unique=False)
    op.create_table(
        "storage_pools",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("capacity_gib", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_pools")),
    )
    with op.batch_alter_table("storage_pools", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_storage_pools_project_id"), ["project_id"], unique=False)
    op.create_table(
        "volumes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("size_gib", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("bootable", sa.Boolean(), nullable=False),
        sa.Column("encrypted", sa.Boolean(), nullable=False),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("storage_pool_id", sa.Text(), nullable=True),
        sa.Column("managed_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volumes")),
    )
    with op.batch_alter_table("volumes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_volumes_managed_by"), ["managed_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_volumes_project_id"), ["project_id"], unique=False)
    op.create_table(
        "vpcs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cidr", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vpcs")),
    )
    with op.batch_alter_table("vpcs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vpcs_project_id"), ["project_id"], unique=False)
    op.create_table(
        "iam_projects",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["domain_id"], ["iam_domains.id"], name=op.f("fk_iam_projects_domain_id_iam_domains")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_iam_projects")),
        sa.UniqueConstraint("domain_id", "name", name=op.f("uq_iam_projects_domain_id_name")),
    )
    with op.batch_alter_table("iam_projects", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_iam_projects_domain_id"), ["domain_id"], unique=False)
    op.create_table(
        "iam_users",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["domain_id"], ["iam_domains.id"], name=op.f("fk_iam_users_domain_id_iam_domains")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_iam_users")),
        sa.UniqueConstraint("domain_id", "name", name=op.f("uq_iam_users_domain_id_name")),
    )
    with op.batch_alter_table("iam_users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_iam_users_domain_id"), ["domain_id"], unique=False)
    op.create_table(
        "servers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("flavor_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("isolated", sa.Boolean(), nullable=False),
        sa.Column("dedicated_host_id", sa.Text(), nullable=True),
        sa.Column("managed_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["flavor_id"], ["flavors.id"], name=op.f("fk_servers_flavor_id_flavors")),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"], name=op.f("fk_servers_vpc_id_vpcs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_servers")),
    )
    with op.batch_alter_table("servers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_servers_flavor_id"), ["flavor_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_servers_managed_by"), ["managed_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_servers_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_servers_vpc_id"), ["vpc_id"], unique=False)
    op.create_table(
        "subnets",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("vpc_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cidr", sa.Text(), nullable=False),
        sa.Column("gateway_ip", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["vpc_id"], ["vpcs.id"], name=op.f("fk_subnets_vpc_id_vpcs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnets")),
    )
    with op.batch_alter_table("subnets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subnets_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_subnets_vpc_id"), ["vpc_id"], unique=False)
    op.create_table(
        "attachments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("volume_id", sa.String(length=64), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_attachments_server_id_servers")),
        sa.ForeignKeyConstraint(["volume_id"], ["volumes.id"], name=op.f("fk_attachments_volume_id_volumes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        sa.UniqueConstraint("server_id", "device", name=op.f("uq_attachments_server_id_device")),
        sa.UniqueConstraint("server_id", "volume_id", name=op.f("uq_attachments_server_id_volume_id")),
    )
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attachments_server_id"), ["server_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_attachments_volume_id"), ["volume_id"], unique=False)
    op.create_table(
        "iam_access_keys",
        sa.Column("access_key", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("secret_encrypted", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["iam_users.id"], name=op.f("fk_iam_access_keys_user_id_iam_users")),
        sa.PrimaryKeyConstraint("access_key", name=op.f("pk_iam_access_keys")),
    )
    with op.batch_alter_table("iam_access_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_iam_access_keys_user_id"), ["user_id"], unique=False)
    op.create_table(
        "iam_grants",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["iam_projects.id"], name=op.f("fk_iam_grants_project_id_iam_projects")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["iam_users.id"], name=op.f("fk_iam_grants_user_id_iam_users")),
        sa.PrimaryKeyConstraint("user_id", "project_id", "role", name=op.f("pk_iam_grants")),
    )
    with op.batch_alter_table("iam_grants", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_iam_grants_project_id"), ["project_id"], unique=False)
    op.create_table(
        "ports",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("subnet_id", sa.String(length=64), nullable=False),
        sa.Column("server_id", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_ports_server_id_servers")),
        sa.ForeignKeyConstraint(["subnet_id"], ["subnets.id"], name=op.f("fk_ports_subnet_id_subnets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ports")),
        sa.UniqueConstraint("subnet_id", "ip", name=op.f("uq_ports_subnet_id_ip")),
    )
    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ports_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ports_server_id"), ["server_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_ports_subnet_id"), ["subnet_id"], unique=False)
    op.create_table(
        "eips",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("guest_port", sa.Integer(), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["port_id"], ["ports.id"], name=op.f("fk_eips_port_id_ports")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eips")),
        sa.UniqueConstraint("address", "port", name=op.f("uq_eips_address_port")),
    )
    with op.batch_alter_table("eips", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_eips_port_id"), ["port_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_eips_project_id"), ["project_id"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_table("eips")
    op.drop_table("ports")
    op.drop_table("iam_grants")
    op.drop_table("iam_access_keys")
    op.drop_table("attachments")
    op.drop_table("subnets")
    op.drop_table("servers")
    op.drop_table("iam_users")
    op.drop_table("iam_projects")
    op.drop_table("vpcs")
    op.drop_table("volumes")
    op.drop_table("storage_pools")
    op.drop_table("iam_revoked_tokens")
    op.drop_table("iam_domains")
    op.drop_table("flavors")
    op.drop_table("dedicated_hosts")
    op.drop_table("active_domains")
