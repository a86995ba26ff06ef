<?php
// A job on a schedule: removes what has been in run/cache for a day.
$old = array_filter(glob(__DIR__ . '/run/cache/*'), fn ($file) => filemtime($file) < time() - 86400);
array_map('unlink', $old);
echo 'removed ' . count($old) . " files\n";
