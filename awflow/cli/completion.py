"""`awflow completion`: what makes a shell complete the words of the command line."""

from __future__ import annotations

import click

SHELLS = ('bash', 'zsh', 'fish')

# Names of tasks hold brackets, spaces and commas. What click has for these two shells would let bash take brackets for
# patterns and put spaces in unquoted, and would let fish cut at a comma; zsh quotes by itself.
BASH = r"""
_awflow_completion() {
    local IFS=$'\n' response type value word="${COMP_WORDS[COMP_CWORD]}"
    response=$(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" _AWFLOW_COMPLETE=bash_complete "$1")
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
        dir) compopt -o dirnames ;;
        file) compopt -o default ;;
        plain)
            case $word in
            \'*) value=${value//\'/\'\\\'\'} ;;
            \"*) value=${value//\\/\\\\} value=${value//\"/\\\"} value=${value//\$/\\\$} value=${value//\`/\\\`} ;;
            *) printf -v value %q "$value" ;;
            esac
            COMPREPLY+=("$value")
            ;;
        esac
    done <<<"$response"
}
complete -o nosort -F _awflow_completion awflow 2>/dev/null || complete -F _awflow_completion awflow
"""
FISH = """
function _awflow_completion
    set -l response (env _AWFLOW_COMPLETE=fish_complete COMP_WORDS=(commandline -cp | string collect) \
        COMP_CWORD=(commandline -t | string collect) awflow)
    for completion in $response
        set -l told (string split --max 1 "," -- $completion)
        switch $told[1]
            case dir
                __fish_complete_directories $told[2]
            case file
                __fish_complete_path $told[2]
            case plain
                printf '%s\\n' $told[2]
        end
    end
end
complete --no-files --command awflow --arguments "(_awflow_completion)"
"""


@click.command(epilog='Example: eval "$(awflow completion bash)"')
@click.argument('shell', type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options, jobs and tasks.

    In ~/.bashrc, or with zsh in ~/.zshrc after compinit: eval "$(awflow completion bash)". In ~/.config/fish/config.fish:
    awflow completion fish | source.
    """
    click.echo({'bash': BASH, 'fish': FISH}.get(shell) or _zsh())


def _zsh() -> str:
    from click.shell_completion import ZshComplete

    from awflow.cli.program import program

    return ZshComplete(program, {}, 'awflow', '_AWFLOW_COMPLETE').source()
