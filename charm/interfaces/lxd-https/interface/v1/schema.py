# SPDX-License-Identifier: Apache-2.0
"""The schemas of both sides of the `lxd-https` interface.

Examples:
    ProviderSchema:
        unit: {
            "version": "1.0",
            "certificate": "-----BEGIN CERTIFICATE-----...",
            "certificate_fingerprint": "<64 hex digits>",
            "addresses": "10.10.10.11:8443,10.10.10.10:8443",
            "trusted_certs_fp": '["<64 hex digits>"]',
        }
        app: the same, of a cluster; the units' databags are empty then
    RequirerSchema:
        unit: {"version": "1.0", "certificate": "-----BEGIN CERTIFICATE-----..."}
        app: the same
"""

from typing import Annotated

from interface_tester.schema_base import DataBagSchema
from pydantic import BaseModel, Field, Json

Fingerprint = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^1(\.[0-9]+)*$")]
Pem = Annotated[str, Field(pattern="-----BEGIN ", max_length=65536)]


class Rejection(BaseModel):
    reason: str = Field(
        description="A sentence for the operator.", min_length=1, max_length=300
    )
    fingerprint: Fingerprint | None = Field(
        default=None, description="Absent where the entry is no certificate."
    )
    unit: str | None = Field(
        default=None, description="Who asked; absent: the application."
    )
    index: int | None = Field(default=None, ge=0, description="Always 0.")


class ProviderData(BaseModel):
    version: Version | None = None
    certificate: Pem | None = Field(
        default=None, description="What LXD presents; of a cluster all members do."
    )
    certificate_fingerprint: Fingerprint | None = Field(
        default=None, description="Its SHA-256."
    )
    addresses: str | None = Field(
        default=None,
        description="host:port, separated by commas, the one to try first in front; IPv6 in brackets.",
        pattern=r"^[^,\s]+:[0-9]+(,[^,\s]+:[0-9]+)*$",
    )
    trusted_certs_fp: Json[list[Fingerprint]] | None = Field(
        default=None,
        description="SHA-256 of those of this relation's certificates that LXD lets in, sorted.",
    )
    rejected_certificates: Json[list[Rejection]] | None = None


class RequirerData(BaseModel):
    version: Version | None = None
    certificate: str | None = Field(
        default=None, description="PEM certificate; anything else is rejected."
    )
    projects: str | None = Field(
        default=None,
        min_length=1,
        description="LXD projects, separated by commas, that the certificate is to be restricted to.",
    )


class ProviderSchema(DataBagSchema):
    """What the provider writes: its application of a cluster, else its units."""

    unit: ProviderData
    app: ProviderData | None = None


class RequirerSchema(DataBagSchema):
    """What the requirer's units write, or its application."""

    unit: RequirerData
    app: RequirerData | None = None
