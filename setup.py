"""What pyproject.toml cannot say: top-level folders that a wheel carries inside the package.

In git the Feast repository and the migrations lie at the top level, where `feast` and `alembic` are typed.
"""

from setuptools import find_namespace_packages, setup

CARRIED = {
    "recsys.shipped.feature_repo": "feature_repo",
    "recsys.shipped.migrations": "migrations",
    "recsys.shipped.migrations.versions": "migrations/versions",
}

setup(
    packages=[*find_namespace_packages(include=["recsys*", "serving*"]), *CARRIED],
    package_dir=CARRIED,
    package_data={
        "recsys": ["mappings/*.toml", "evaluation/templates/*.j2"],
        "recsys.shipped.feature_repo": ["*.yaml"],
        "recsys.shipped.migrations": ["*.mako"],
        "serving": ["web/*.html", "web/*.js"],
    },
)
