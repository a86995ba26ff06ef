# Completion of sv for fish:  sv completions fish | source
function __sv_words
    set -l words (commandline -opc) (commandline -ct)
    $words[1] completions words -- $words[2..-1] 2>/dev/null
end
complete -c sv -a '(__sv_words)'
