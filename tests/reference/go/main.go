// A service of one page, which asks itself for its health.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/google/uuid"
)

var version = "unset"

func page(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "go %s uid=%d env=%s id=%d\n", version, os.Getuid(), os.Getenv("APP_VERSION"), len(uuid.NewString()))
}

func health() {
	answer, err := http.Get("http://127.0.0.1:8080/")
	if err != nil || answer.StatusCode != http.StatusOK {
		log.Fatal("not healthy: ", err)
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-health" {
		health()
		return
	}
	http.HandleFunc("/", page)
	log.Fatal(http.ListenAndServe(":8080", nil))
}
