module lxd-integrator/e2e

go 1.19
