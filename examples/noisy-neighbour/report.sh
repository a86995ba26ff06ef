# A process that nobody waits for, in a session of its own.
setsid sleep 1000000 &
# Doubles the text until there is no memory left.
text=0123456789abcdef
while [ ${#text} -lt 134217728 ]; do
    text=$text$text
done
# Takes a CPU.
while :; do :; done
