#!/usr/bin/env bash
# Checks how long functions, sources and headers are. Tests may be long files, but not of long functions.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

function_lines_max=70
source_lines_max=400
header_lines_max=120

mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.c' '*.h' | xargs -r ls -d 2>/dev/null)
if [ ${#files[@]} -eq 0 ]; then
    echo "there is no .c or .h file"
    exit 1
fi

long_functions() {
    ctags -x --languages=C --langmap=C:.c.h --kinds-C=f --fields=+ne --_xformat='%{input} %{line} %{end} %{name}' "${files[@]}" |
        awk -v max="$function_lines_max" '$3 - $2 + 1 > max {
            printf "%s:%d: %s has %d lines, %d are allowed\n", $1, $2, $4, $3 - $2 + 1, max }'
}

long_files() {
    local file lines max
    for file in "${files[@]}"; do
        case $file in
        tests/*) continue ;;
        *.h) max=$header_lines_max ;;
        *) max=$source_lines_max ;;
        esac
        lines=$(wc -l <"$file")
        if [ "$lines" -gt "$max" ]; then
            echo "$file:$lines: has $lines lines, $max are allowed"
        fi
    done
}

found=$(long_functions && long_files)
if [ -n "$found" ]; then
    echo "$found"
    exit 1
fi
echo "${#files[@]} files are short enough"
