# Completion of sv for fish:  sv completions fish > ~/.config/fish/completions/sv.fish
# (From there it goes before that of runit's sv, which fish knows too.)
function __sv_words
    set -l words (commandline -opc) (commandline -ct)
    $words[1] completions words -- $words[2..-1] 2>/dev/null
end
complete -c sv -f -a '(__sv_words)'
complete -c sv -s c -l configuration -r -F
