// The application on net/http's ServeMux: servemux PORT ROUTES
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
)

type route struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

type served struct {
	Route      string            `json:"route"`
	Captures   map[string]string `json:"captures"`
	Authorised string            `json:"authorised"`
	Request    string            `json:"request"`
}

var capture = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

// pattern gives the path as ServeMux wants it: there, a pattern that ends in a slash is a subtree.
func pattern(path string) string {
	if strings.HasSuffix(path, "/") {
		return path + "{$}"
	}
	return path
}

func handler(it route) http.HandlerFunc {
	names := capture.FindAllStringSubmatch(it.Path, -1)
	return func(response http.ResponseWriter, request *http.Request) {
		captures := map[string]string{}
		for _, name := range names {
			captures[name[1]] = request.PathValue(name[1])
		}
		said, err := json.Marshal(served{
			it.Name,
			captures,
			request.Header.Get("X-Authorizer-Route"),
			request.Header.Get("X-Request-Id"),
		})
		if err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
			return
		}
		response.Header().Set("X-Served", url.PathEscape(string(said)))
	}
}

func main() {
	port, file := os.Args[1], os.Args[2]
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	var routes []route
	if err := json.Unmarshal(text, &routes); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, it := range routes {
		mux.HandleFunc(pattern(it.Path), handler(it))
	}
	marked := http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		response.Header().Set("X-Upstream", "servemux")
		mux.ServeHTTP(response, request)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, marked))
}
