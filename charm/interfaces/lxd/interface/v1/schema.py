# SPDX-License-Identifier: Apache-2.0
"""The schemas of both sides of the `lxd` interface.

Examples:
    ProviderSchema:
        unit: {
            "version": "1.0",
            "nodes": '[{"certificate": "-----BEGIN CERTIFICATE-----...", "endpoint": "https://10.10.10.10:8443",
                        "name": "node-1", "trusted_certs_fp": ["<64 hex digits>"]}]',
            "registered_certificates": '["-----BEGIN CERTIFICATE-----..."]',
        }
        app: <empty>
    RequirerSchema:
        unit: {"version": "1.0", "client_certificates": '["-----BEGIN CERTIFICATE-----..."]', "projects": "blue,green"}
        app: the same
"""

from typing import Annotated

from interface_tester.schema_base import DataBagSchema
from pydantic import BaseModel, Field, Json

Fingerprint = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^1(\.[0-9]+)*$")]
Pem = Annotated[str, Field(pattern="-----BEGIN ", max_length=65536)]


class Node(BaseModel):
    endpoint: str = Field(
        description="Base URL of the node: scheme, host (a name, an IPv4 address, or an IPv6 address in brackets) and port.",
        pattern=r"^https://([A-Za-z0-9.-]+|\[[0-9a-f:.]+\]):[0-9]+$",
    )
    name: str = Field(description="What LXD calls the node.")
    trusted_certs_fp: list[Fingerprint] = Field(
        description="SHA-256 of those of this relation's certificates that the node lets in, sorted."
    )
    certificate: Pem | None = Field(
        default=None,
        description="What to verify the node by: its own certificate, or that of a CA.",
    )


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
    index: int | None = Field(
        default=None,
        ge=0,
        description="The entry's place in the list; absent: all of it is meant.",
    )


class ProviderData(BaseModel):
    version: Version | None = None
    nodes: Json[list[Node]] | None = Field(
        default=None, description="The LXD nodes, sorted by endpoint."
    )
    registered_certificates: Json[list[Pem]] | None = Field(
        default=None,
        description="Those of this relation's certificates that are trusted, each as it was written.",
    )
    rejected_certificates: Json[list[Rejection]] | None = None


class RequirerData(BaseModel):
    version: Version | None = None
    client_certificates: Json[list[object]] | None = Field(
        default=None,
        description="PEM certificates. What is none is rejected; the others are served.",
    )
    projects: str | None = Field(
        default=None,
        min_length=1,
        description="LXD projects, separated by commas, that the certificates are to be restricted to.",
    )


class ProviderSchema(DataBagSchema):
    """What the provider's units write."""

    unit: ProviderData


class RequirerSchema(DataBagSchema):
    """What the requirer's units write, or its application."""

    unit: RequirerData
    app: RequirerData | None = None
