# Completion of sv for bash:  source <(sv completions bash)
_sv() {
    local line="${COMP_LINE:0:COMP_POINT}" words current
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current="${words[${#words[@]}-1]}"
    mapfile -t COMPREPLY < <("$1" completions words -- "${words[@]:1}" 2>/dev/null)
    # bash takes a colon for the end of a word, and puts what we say behind it.
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
    fi
}
complete -o default -F _sv sv
