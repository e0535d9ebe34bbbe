// The answer of npm's own semver (loose, as npm reads what is installed) to every pair of versions on standard input.
const semver = require(process.argv[2])
const lines = require('fs').readFileSync(0, 'utf8').split('\n').slice(0, -1)
for (const line of lines) {
  const [left, right] = line.split('\t').map((text) => semver.parse(text, { loose: true }))
  console.log(left && right ? left.compare(right) : 'x')
}
