# SPDX-License-Identifier: Apache-2.0

output "application" {
  description = "The application, as the provider describes it"
  value       = juju_application.lxd_integrator
}

output "provides" {
  description = "Names of the endpoints that the charm provides"
  value = {
    api   = "api"
    https = "https"
  }
}

output "requires" {
  description = "Names of the endpoints that the charm requires: none"
  value       = {}
}
