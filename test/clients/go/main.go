// Checks of S3 clients for Go: `main aws` by the AWS SDK for Go 2, `main minio` by minio-go. Each
// prints a line a check that held, and `ok all` last. `main aws-keys` and `main minio-keys` print the
// keys of a bucket, `main commands` what this build can do.
package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand"
	"os"
)

const mib = 1024 * 1024
const oddKey = "a b/ü+é/日本/~'()*!;@&=$,?:#[]%20"

func check(name string, held bool) {
	if !held {
		fmt.Println("FAILED " + name)
		os.Exit(1)
	}
	fmt.Println("ok " + name)
}

// must ends the run with what a call failed with.
func must(name string, err error) {
	if err != nil {
		fmt.Printf("FAILED %s: %v\n", name, err)
		os.Exit(1)
	}
}

func body(seed int64, length int) []byte {
	bytes := make([]byte, length)
	rand.New(rand.NewSource(seed)).Read(bytes)
	return bytes
}

func same(one, other []byte) bool {
	return len(one) == len(other) && sha256.Sum256(one) == sha256.Sum256(other)
}

// Every command, by its name on the command line.
var commands = map[string]func(){
	"aws":        func() { checkAws(); fmt.Println("ok all") },
	"minio":      func() { checkMinio(); fmt.Println("ok all") },
	"aws-keys":   printAwsKeys,
	"minio-keys": printMinioKeys,
}

func main() {
	name := os.Args[1]
	if name == "commands" {
		for command := range commands {
			fmt.Println(command)
		}
		return
	}
	command, known := commands[name]
	if !known {
		panic("unknown command " + name)
	}
	command()
}
