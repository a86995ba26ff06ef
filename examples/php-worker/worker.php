<?php
// A queue worker in the manner of Laravel's `queue:work`: jobs are entries of the list `jobs` in redis, and results go to the
// list `done`. It ends after the job at hand when it gets TERM, after MAX_SECONDS, or when the value of `restart` has changed.
// A job that was under way when the worker was killed is done by its successor.

[, $socket, $name, $maxSeconds] = $argv;
$redis = stream_socket_client("unix://$socket", timeout: 5) ?: exit(1);
$stopped = false;
pcntl_async_signals(true);
pcntl_signal(SIGTERM, function () use (&$stopped) {
    $stopped = true;
});

function ask(string ...$words)
{
    global $redis;
    $request = '*' . count($words) . "\r\n";
    foreach ($words as $word) {
        $request .= '$' . strlen($word) . "\r\n$word\r\n";
    }
    fwrite($redis, $request);
    $reply = fgets($redis);
    if ($reply === false || $reply[0] === '-') {
        fwrite(STDERR, 'redis: ' . ($reply ?: "gone\n"));
        exit(1);
    }
    $rest = trim(substr($reply, 1));
    if ($rest === '-1') {
        return null;
    }
    return $reply[0] === '$' ? substr(stream_get_contents($redis, $rest + 2), 0, -2) : $rest;
}

function work(string $job): string
{
    if (preg_match('/^(\d+)\+(\d+)$/', $job, $numbers)) {
        return $numbers[1] + $numbers[2];
    }
    // Signals interrupt sleep().
    for ($seconds = (int) $job; $seconds > 0;) {
        $seconds = sleep($seconds);
    }
    return 'waited';
}

$own = "jobs:$name";
$since = time();
$restart = ask('GET', 'restart');
echo "waiting for jobs\n";
while (!$stopped && time() - $since < $maxSeconds && ask('GET', 'restart') === $restart) {
    $job = ask('LINDEX', $own, '0') ?? ask('BLMOVE', 'jobs', $own, 'RIGHT', 'LEFT', '1');
    if ($job !== null) {
        echo "begins $job\n";
        ask('LPUSH', 'done', "$job: " . work($job));
        ask('LREM', $own, '1', $job);
        echo "has done $job\n";
    }
}
