package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"vault-plugin-secrets-apikeys/test/harness"
)

// doorsPlan says how much to measure of the gate's doors.
type doorsPlan struct {
	keys    int   // in all
	fit     int   // of them that the gate's cache has room for
	callers []int // at once
	rounds  int
	slice   time.Duration // of one rival in one round, in a closed loop
	steady  time.Duration // in an open loop, and beside changes
}

// street is the gate with all that it is held against.
type street struct {
	*site
	floor  *harness.Program
	behind [2]*rival // nginx in front of the gate, and of the map
	alone  [2]*rival // the gate itself, and the map
	grpc   [3]*rival // the gate, the map behind the same server as the gate, and behind gRPC's own
	others [2]*rival // Vault, and nginx with a map of its own
}

// doors measures the gate as gateways ask it.
func doors(t *runner, p gatePlan) {
	s := newStreet(t, p)
	held := evenly(fmt.Sprintf("%d keys, each as often", p.doors.fit), s.holders[:p.doors.fit])
	began := time.Now()
	s.warm(s.alone[0], held.holders)
	fmt.Printf("\nThe gate was asked about %d keys for the first time, in %s.\n", p.doors.fit, time.Since(began).Round(time.Millisecond))
	s.warm(s.others[0], s.others[0].holders)
	s.same()
	s.contend(held, p.doors.callers, true)
	s.latencies(held)
	s.changing(held)
	if len(s.holders) > len(held.holders) {
		s.contend(byZipf(fmt.Sprintf("%d keys by Zipf's law, more than the gate holds", len(s.holders)), s.holders), p.doors.callers, false)
		s.contend(evenly(fmt.Sprintf("%d keys, each as often, more than the gate holds", len(s.holders)), s.holders), []int{32}, false)
	}
}

// What nginx asks by the recipe, what a client asks nginx, and what a client asks Vault.
const (
	gateQuestion   = "HEAD /v1/" + gateMount + "/authorize/web HTTP/1.1\r\nX-API-Key: " + hole + "\r\nX-Required-Scopes: " + webScope + "\r\nX-Client-Ip: " + webFrom + "\r\nHost: decider\r\n\r\n"
	clientQuestion = "GET /orders HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench\r\nAccept: */*\r\nX-API-Key: " + hole + "\r\n\r\n"
	vaultQuestion  = "GET /v1/" + gateMount + "/authorize/web HTTP/1.1\r\nX-API-Key: " + hole + "\r\nX-Required-Scopes: " + webScope + "\r\nX-Client-Ip: " + webFrom + "\r\nHost: vault\r\nX-Vault-Token: %s\r\n\r\n"
)

func newStreet(t *runner, p gatePlan) *street {
	s := &street{site: newSite(t, p, p.doors.keys)}
	floor := s.startFloor()
	for i, d := range []struct {
		name, socket string
		is           process
	}{{"gate", socket(s.gate), process(s.gate.PID())}, {"map", floor, process(s.floor.PID())}} {
		nginx := s.nginx(d.socket)
		s.behind[i] = &rival{name: "nginx, " + d.name, dial: s.briskly("tcp", nginx.address, clientQuestion), front: nginx.processes, decides: []process{d.is}}
		s.alone[i] = &rival{name: d.name, dial: s.briskly("unix", d.socket, gateQuestion), decides: []process{d.is}}
		s.grpc[i] = &rival{name: d.name + ", gRPC", dial: s.hotlines(d.socket), decides: []process{d.is}}
	}
	s.grpc[2] = &rival{name: "map, gRPC's own server", dial: s.hotlines(floor + ".grpc"), decides: s.alone[1].decides}
	vault, plugin := s.servers()
	token := s.server.TokenWith(s.t, "path \""+gateMount+"/authorize/web\" { capabilities = [\"read\"] }", map[string]any{"no_default_policy": true})
	s.others[0] = &rival{name: "Vault, authorize", dial: s.briskly("tcp", s.client.address, fmt.Sprintf(vaultQuestion, token)), decides: []process{vault, plugin}}
	for i := range owners {
		s.others[0].holders = append(s.others[0].holders, s.made(i))
	}
	static := s.nginxWithMap()
	s.others[1] = &rival{name: "nginx with a map", dial: s.briskly("tcp", static.address, clientQuestion), front: static.processes}
	return s
}

// startFloor runs the program that answers from a map, and answers its socket.
func (s *street) startFloor() (socket string) {
	dir := s.t.TempDir()
	socket = filepath.Join(dir, "map.sock")
	file := s.listed(dir, func(h *holder) string { return h.Text + " " + h.ID + " " + h.Owner + "\n" })
	s.floor = harness.Run(s.t, built("mapgate"), socket, file)
	s.awaitAnswer(s.floor, "unix", socket)
	return socket
}

// listed is a file with a line for each key.
func (s *street) listed(dir string, line func(h *holder) string) (file string) {
	var text strings.Builder
	for i := range s.holders {
		text.WriteString(line(&s.holders[i]))
	}
	file = filepath.Join(dir, "keys")
	s.t.must(os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}

// nginxWithMap knows all keys by its own configuration.
func (s *street) nginxWithMap() front {
	file := s.listed(s.t.TempDir(), func(h *holder) string { return h.Text + " " + h.ID + ";\n" })
	return s.front("map.conf", fmt.Sprintf(`map_hash_max_size %d;
map_hash_bucket_size 1024;
map $http_x_api_key $apikey_id {
    default "";
    include %s;
}
server {
    listen 80;
    location / {
        if ($apikey_id = "") {
            return 401;
        }
        add_header X-Apikey-Id $apikey_id;
        empty_gif;
    }
}
`, 4*len(s.holders), file))
}

func (s *street) briskly(network, address, request string) func(callers int) []asker {
	return func(callers int) (all []asker) {
		for range callers {
			b, err := newBrisk(network, address, request, s.holders[0])
			s.t.must(err)
			all = append(all, b)
		}
		return all
	}
}

// hotlines are two, as of two of Envoy's workers, where there are two callers.
func (s *street) hotlines(socket string) func(callers int) []asker {
	return func(callers int) (all []asker) {
		lines := make([]*hotline, min(2, callers))
		for i := range lines {
			var err error
			lines[i], err = dialHotline(socket)
			s.t.must(err)
		}
		for i := range callers {
			c, err := lines[i%len(lines)].caller(s.holders[0])
			s.t.must(err)
			all = append(all, c)
		}
		return all
	}
}

// same ends the program unless gate and map answer the same, byte for byte but for the
// time, and, of gRPC, the order of headers: else they could not be held against each
// other.
func (s *street) same() {
	var heads [2][]string
	var calls [2]*auth.CheckResponse
	for i := range heads {
		b, c := s.alone[i].dial(1)[0].(*brisk), s.grpc[i].dial(1)[0].(*call)
		defer b.Close()
		defer c.Close()
		answer, err := b.exchange(&s.holders[0])
		s.t.must(err)
		heads[i] = slices.DeleteFunc(strings.Split(string(answer), "\r\n"), func(line string) bool { return strings.HasPrefix(line, "Date: ") })
		s.t.must(c.ask(&s.holders[0]))
		calls[i] = new(auth.CheckResponse)
		s.t.must(proto.Unmarshal(bytes.Clone(c.answer[5:]), calls[i]))
		slices.SortFunc(calls[i].GetOkResponse().GetHeaders(), func(a, b *core.HeaderValueOption) int {
			return cmp.Compare(a.GetHeader().GetKey(), b.GetHeader().GetKey())
		})
	}
	if !slices.Equal(heads[0], heads[1]) {
		s.t.Fatalf("the map answers other than the gate:\n%s\n\n%s", strings.Join(heads[0], "\n"), strings.Join(heads[1], "\n"))
	}
	if !proto.Equal(calls[0], calls[1]) {
		s.t.Fatalf("the map answers other than the gate:\n%v\n\n%v", calls[0], calls[1])
	}
}
