# SPDX-License-Identifier: Apache-2.0

locals {
  has_credentials = nonsensitive(var.credentials != null)
  secret_option   = local.has_credentials ? { lxd_credentials = juju_secret.credentials[0].secret_uri } : {}
}

resource "juju_application" "lxd_integrator" {
  name        = var.app_name
  model_uuid  = var.model_uuid
  config      = merge(var.config, local.secret_option)
  constraints = var.constraints
  trust       = var.trust
  units       = var.units

  charm {
    name     = "lxd-integrator"
    base     = var.base
    channel  = var.channel
    revision = var.revision
  }
}

resource "juju_secret" "credentials" {
  count = local.has_credentials ? 1 : 0

  model_uuid = var.model_uuid
  name       = "${var.app_name}-credentials"
  info       = "What ${var.app_name} logs in to LXD with"
  value      = var.credentials
}

resource "juju_access_secret" "credentials" {
  count = local.has_credentials ? 1 : 0

  model_uuid   = var.model_uuid
  secret_id    = juju_secret.credentials[0].secret_id
  applications = [juju_application.lxd_integrator.name]
}
