// The answer of golang.org/x/mod/semver to every pair of versions on standard input (two to a line, tab between):
// -1, 0 or 1, or x where one is no version; one a line.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/semver"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		left, right, _ := strings.Cut(lines.Text(), "\t")
		left, right = "v"+strings.TrimPrefix(left, "v"), "v"+strings.TrimPrefix(right, "v")
		if !semver.IsValid(left) || !semver.IsValid(right) {
			fmt.Println("x")
			continue
		}
		fmt.Println(semver.Compare(left, right))
	}
}
