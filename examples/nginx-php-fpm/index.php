<!doctype html>
<title>supervised</title>
<p>PHP at work: <?= php_sapi_name() ?>, pid <?= getmypid() ?>

