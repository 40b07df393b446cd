# SPDX-License-Identifier: Apache-2.0
"""Certificates that are restricted to projects, by the operator or by who asks for them."""

import pytest

from expectations import active, published, rejections, served
from pki import bundle, identity


pytestmark = pytest.mark.usefixtures("projects")


def opens(lxd, client):
    """What the client's entry opens: None stands for everything."""
    entry = lxd.trust_store[client.fingerprint]
    return set(entry["projects"]) if entry["restricted"] else None


@pytest.mark.core
def test_requirer_asks_for_projects(lxd, unit, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects="blue, green")
    assert opens(lxd, client) == {"blue", "green"}
    assert published(relation) == served(lxd, client)
    assert unit.status == active(lxd, 1)


def test_operator_restricts_all(lxd, app, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert opens(lxd, client) is None
    app.configure(projects="blue")
    assert opens(lxd, client) == {"blue"}
    (hook,) = app.configure(projects=None)
    assert opens(lxd, client) is None
    (line,) = [text for text in hook.logged("WARNING") if client.fingerprint[:12] in text]
    assert "opens all of LXD" in line


@pytest.mark.core
def test_changed_list_changes_the_entry(lxd, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects="blue")
    relation.publish("builder/0", projects="green")
    assert opens(lxd, client) == {"green"}
    with lxd.recording() as requests:
        relation.publish("builder/0", note="nothing")
    assert "PATCH" not in {request.method for request in requests}


def test_operator_s_list_is_the_limit(lxd, app, relation):
    client = identity()
    app.configure(projects="blue")
    joined, _ = relation.join(
        "builder/0", client_certificates=bundle(client), projects="blue,green"
    )
    assert opens(lxd, client) == {"blue"}
    (line,) = [text for text in joined.logged("WARNING") if client.fingerprint[:12] in text]
    assert '"green"' in line and '"blue"' not in line
    assert published(relation)["registered_certificates"] == [client.certificate]
    assert "green" in rejections(relation)[client.fingerprint]


def test_default_is_for_who_names_none(lxd, app, unit, relation):
    client, other = identity(), identity()
    app.configure(**{"default-projects": "blue"})
    relation.join("builder/0", client_certificates=bundle(client))
    assert opens(lxd, client) == {"blue"}
    relation.join("builder/1", client_certificates=bundle(other), projects="green")
    assert opens(lxd, other) == {"green"}
    relation.publish("builder", projects="green")
    assert opens(lxd, client) == {"green"}
    relation.publish("builder", projects=None)
    assert opens(lxd, client) == {"blue"}
    shown = unit.run_action("show").results
    assert shown["default-projects"] == "project blue"
    app.configure(**{"default-projects": None})
    assert opens(lxd, client) is None and opens(lxd, other) == {"green"}


def test_limit_is_the_limit_of_the_default_too(lxd, app, unit, relation):
    client = identity()
    app.configure(projects="green", **{"default-projects": "blue,green"})
    relation.join("builder/0", client_certificates=bundle(client))
    assert opens(lxd, client) == {"green"}
    app.configure(projects="blue", **{"default-projects": "green"})
    assert client.fingerprint not in lxd.trust_store
    assert client.fingerprint in rejections(relation)


def test_default_that_does_not_exist(lxd, app, unit, relation):
    client = identity()
    app.configure(**{"default-projects": "gren"})
    relation.join("builder/0", client_certificates=bundle(client))
    assert client.fingerprint not in lxd.trust_store
    assert 'project "gren" does not exist' in unit.status[1]
    app.configure(**{"default-projects": " , "})
    assert unit.status[0] == "blocked" and unit.status[1].startswith("default-projects is ")


def test_wish_can_only_give(lxd, app, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects="blue")
    other = app.relate("other")
    other.join("other/0", client_certificates=bundle(client), projects="green")
    assert opens(lxd, client) == {"blue", "green"}
    other.publish("other/0", projects=None)
    assert opens(lxd, client) is None
    other.remove()
    assert opens(lxd, client) == {"blue"}


@pytest.mark.parametrize("who", ["leader", "follower"])
def test_unit_that_leaves_opens_nothing_wider(lxd, app, unit, relation, who):
    """It takes its leave of one relation after the other."""
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects="blue")
    app.relate("other").join("other/0", client_certificates=bundle(client), projects="green")
    follower = app.add_unit()
    before = published(relation, follower)
    hooks = app.remove_unit(unit if who == "leader" else follower)
    assert not [hook for hook in hooks if hook.name == "remove" and hook.called("relation-set")]
    assert opens(lxd, client) == {"blue", "green"}
    assert published(relation, app.units[0]) == before


def test_new_unit_narrows_nothing(lxd, juju, app, unit, relation):
    """It is shown one wish after the other."""
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects="blue")
    app.relate("other").join("other/0", client_certificates=bundle(client), projects="green")
    app.lose_unit(unit)
    juju.asleep = True
    successor = app.add_unit()
    while successor.pending:
        assert successor.run_next().exit_code == 0
        assert opens(lxd, client) == {"blue", "green"}


@pytest.mark.core
def test_typo_beside_a_project_leaves_nothing_open(lxd, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert opens(lxd, client) is None
    relation.publish("builder/0", projects="blue,gren")
    assert opens(lxd, client) == {"blue"}


@pytest.mark.core
def test_deleted_project(lxd, app, relation, projects):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects="blue,green")
    lxd.request("DELETE", "/1.0/projects/green")
    try:
        app.update_status()
        assert opens(lxd, client) == {"blue"}
        assert published(relation)["registered_certificates"] == [client.certificate]
    finally:
        lxd.request("POST", "/1.0/projects", {"name": "green"})
    app.update_status()
    assert opens(lxd, client) == {"blue", "green"}


def test_list_that_names_no_project_is_not_all(lxd, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects=" , ,")
    assert client.fingerprint not in lxd.trust_store
    (reason,) = rejections(relation).values()
    assert "no project" in reason


def test_option_that_names_no_project_is_not_all(lxd, app, unit, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects="blue")
    app.configure(projects=" , ")
    assert unit.status[0] == "blocked" and unit.status[1].startswith("projects is ")
    assert opens(lxd, client) == {"blue"}


def test_list_of_the_application_serves_its_units(lxd, relation):
    client, other = identity(), identity()
    relation.publish("builder", projects="blue")
    relation.join("builder/0", client_certificates=bundle(client))
    relation.join("builder/1", client_certificates=bundle(other), projects="green")
    assert opens(lxd, client) == {"blue"}
    assert opens(lxd, other) == {"green"}


def test_nothing_in_common_is_refused_and_locked_out(lxd, app, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects="blue")
    app.configure(projects="green")
    assert client.fingerprint not in lxd.trust_store
    assert '"blue"' in rejections(relation)[client.fingerprint]
    app.configure(projects=None)
    assert opens(lxd, client) == {"blue"}
    assert published(relation) == served(lxd, client)


def test_project_that_is_not_there(lxd, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), projects="red")
    assert client.fingerprint not in lxd.trust_store
    assert "red" in rejections(relation)[client.fingerprint]


def test_entry_of_others_is_left_alone(lxd, unit, relation):
    client = identity()
    lxd.trust(client, "somebody's", restricted=True, projects=["blue"])
    relation.join("builder/0", client_certificates=bundle(client), projects="green")
    assert opens(lxd, client) == {"blue"}
    assert "blue" in rejections(relation)[client.fingerprint]
