// SPDX-License-Identifier: Apache-2.0

// What the parser of Juju 4 makes of each charm that is named: a line of JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/juju/juju/domain/deployment/charm"
)

func main() {
	for _, path := range os.Args[1:] {
		said := map[string]any{}
		if archive, err := charm.ReadCharmArchive(path); err != nil {
			said["refused"] = err.Error()
		} else {
			meta := archive.Meta()
			said["name"], said["provides"], said["peers"] = meta.Name, meta.Provides, meta.Peers
			said["options"], said["actions"] = archive.Config().Options, archive.Actions().ActionSpecs
			said["bases"] = len(archive.Manifest().Bases)
		}
		line, err := json.Marshal(said)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(line))
	}
}
