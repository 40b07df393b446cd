# SPDX-License-Identifier: Apache-2.0
"""The requirer's side of the interfaces ``lxd`` and ``lxd-https``.

A charm makes a private key and a client certificate, asks the integrator to have LXD trust the
certificate, and is told where LXD is and how to verify it. The private key stays where it is::

    import ops
    from charmlibs.interfaces.lxd import LxdRequirer

    class MyCharm(ops.CharmBase):
        def __init__(self, framework: ops.Framework):
            super().__init__(framework)
            self.lxd = LxdRequirer(self, "lxd")
            for event in (self.on["lxd"].relation_changed, self.on.update_status):
                framework.observe(event, self._reconcile)
            framework.observe(self.on.collect_unit_status, self._collect_status)

        def _reconcile(self, _: ops.EventBase):
            self.lxd.request([self.certificate], projects=["builds"])
            for node in self.lxd.nodes(self.certificate):
                if node.trusted:
                    ...  # log in at node.endpoint, and verify it by node.certificate

        def _collect_status(self, event: ops.CollectStatusEvent):
            event.add_status(self.lxd.status(self.certificate))

``LxdHttpsRequirer`` has the same methods for the interface ``lxd-https``, which has room for one
certificate and one LXD (a server or a cluster).

What to know:

* A requirer has no state and no events of its own. Call it in any hook, as often as you like:
  it reads the databags of the relations that there are, and writes what has changed.
* Nothing that the other side has written makes it raise. What cannot be read counts as not
  written. ``ValueError`` is for your own arguments: a text that is no certificate, or one that
  holds a private key.
* Each unit asks for itself, in its unit databag. With ``projects`` the certificate is let in to
  these LXD projects alone; without, to all of LXD, or to what the operator of the integrator
  allows. ``request([])`` withdraws.
* All units of the integrator say the same within a hook. A node counts as trusting the
  certificate as soon as one of them says so.
* ``Node.certificate`` is what to verify the node by: the node presents this very certificate (then
  the host name does not matter: LXD's own certificates seldom have it), or one that this CA
  signed (then it does). It is empty where the integrator does not say, like the older Python
  charm of the same name: ask your operator then.
* A rejection may be about a certificate that is trusted all the same, but for less than you
  asked for. ``status`` puts that into the message of an active status.
* Where a relation was removed by force, Juju goes on listing it and refuses what is written. That
  is logged, and no error.

``charmlibs.interfaces.lxd.testing`` has relations as the integrator writes them, for unit tests of
your charm with ``ops[testing]``.
"""

from ._requirer import (
    LxdHttpsRequirer,
    LxdRequirer,
    Node,
    Rejection,
    fingerprint,
)
from ._version import __version__ as __version__

__all__ = ["LxdHttpsRequirer", "LxdRequirer", "Node", "Rejection", "fingerprint"]
