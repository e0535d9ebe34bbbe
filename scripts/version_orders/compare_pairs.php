<?php
// The answer of composer/semver and version_compare to every pair of versions on standard input.
require getenv('COMPOSER_SEMVER') ?: '/usr/share/php/Composer/Semver/autoload.php';

$parser = new Composer\Semver\VersionParser();
while (($line = fgets(STDIN)) !== false) {
    [$left, $right] = explode("\t", rtrim($line, "\n"));
    try {
        $left = $parser->normalize($left);
        $right = $parser->normalize($right);
    } catch (UnexpectedValueException $error) {
        echo "x\n";
        continue;
    }
    // Branches have no order among the numbers: Composer compares them with nothing.
    $branch = str_starts_with($left, 'dev-') || str_starts_with($right, 'dev-');
    echo $branch ? 'x' : version_compare($left, $right), "\n";
}
