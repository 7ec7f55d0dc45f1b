// Package ext is the place that Traefik leaves for what others add to its configuration: nothing. Traefik's own is a
// module that only a checkout of its repository has, under a path at which none can be fetched.
package ext

// HTTP is added to the dynamic configuration.
type HTTP struct{}

// Router is added to each router.
type Router struct{}

// RouterIng is Router as annotations of an ingress say it.
type RouterIng struct{}

// ToRouter is the Router that was said.
func (RouterIng) ToRouter() Router { return Router{} }
