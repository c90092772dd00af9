package console

// filterText is the help topic of filters.
const filterText = `A line may end in a filter: jq, to the end of the line.

  call exp {"base":2,"exp":10} | .value
  stream fibs 10 | . * 2           of each item
  history failed | map(.type) | unique
  services | .[].name

After a call the filter gets the reply; after history, show, services, bench,
peers, top, diff and wire what -o json prints. Its values are shown in place of
that, one a line.
"expect JQ" fails with exit code 8 unless the values are neither false nor null.

  $last, $128      the last reply before the call, the reply of call 128
  $call            what -o json prints of the call: $call.rtt_ns, $call.status

Whole numbers stay exact whatever their size. The fields of an object come out
sorted. A filter sees no file, no environment and no other input, and is stopped
after 2 s, 1000 values or 1 MiB of them.`
