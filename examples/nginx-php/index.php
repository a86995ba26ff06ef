<!doctype html>
<title>supervised</title>
<p>PHP at work: <?= getenv('SUPERVISOR_PROCESS_NAME') ?>, pid <?= getmypid() ?>

