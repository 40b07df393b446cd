# SPDX-License-Identifier: Apache-2.0

variable "model_uuid" {
  description = "UUID of the model to deploy to"
  type        = string
  nullable    = false
}

variable "app_name" {
  description = "Name of the application in the model"
  type        = string
  default     = "lxd-integrator"
}

variable "base" {
  description = "Base to deploy on, such as ubuntu@24.04; null leaves it to Juju"
  type        = string
  default     = null
}

variable "channel" {
  description = "Channel of the charm in Charmhub"
  type        = string
  default     = "latest/stable"
}

variable "config" {
  description = "Options of the charm; lxd_credentials is set where credentials are given"
  type        = map(string)
  default     = {}
}

variable "constraints" {
  description = "Constraints of the machines, such as \"arch=arm64\"; null for none"
  type        = string
  default     = null
}

variable "credentials" {
  description = "What to log in to LXD with, kept in a Juju secret: the certificate and key of an administrator, LXD's own certificate; null to use trust, or a token in config"
  type = object({
    endpoint    = string
    client-cert = string
    client-key  = string
    server-cert = string
  })
  default   = null
  sensitive = true
}

variable "revision" {
  description = "Revision of the charm; null for the channel's newest"
  type        = number
  default     = null
}

variable "trust" {
  description = "Whether the charm may use the credential of the model's LXD cloud"
  type        = bool
  default     = false
}

variable "units" {
  description = "Number of units"
  type        = number
  default     = 1

  validation {
    condition     = var.units >= 1
    error_message = "units must be at least 1."
  }
}
