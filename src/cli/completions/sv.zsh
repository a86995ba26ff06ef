#compdef sv
# Completion of sv for zsh:  source <(sv completions zsh), or as _sv in a folder of $fpath
_sv() {
    local -a found
    found=("${(@f)$("${words[1]}" completions words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n ${found[1]} ]]; then
        compadd -- "${found[@]}"
    else
        _files
    fi
}
if [[ ${funcstack[1]} == _sv ]]; then
    _sv "$@"
else
    compdef _sv sv
fi
