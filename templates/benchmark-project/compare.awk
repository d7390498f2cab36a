# awk -f compare.awk base.txt head.txt: the figures of both as Markdown. The first line sums them up. If --results-job
# names the job, bench-bot shows that line on the merge request and folds the rest below it.

function percent(ratio) { return sprintf("%+.1f %%", (ratio - 1) * 100) }

FILENAME == ARGV[1] { base[$1] = $2; next }
{
    name[++figures] = $1
    head[$1] = $2
    if (base[$1] <= 0 || $2 <= 0) next
    ratio[$1] = $2 / base[$1]
    logarithms += log(ratio[$1])
    if (!compared++ || ratio[$1] < ratio[best]) best = $1
    if (compared == 1 || ratio[$1] > ratio[worst]) worst = $1
}

END {
    commit = substr(ENVIRON["BENCH_SHA"], 1, 8)
    merge_base = substr(ENVIRON["BENCH_BASE_SHA"], 1, 8)
    if (compared == 1)
        print best " " percent(ratio[best])
    else if (compared)
        print percent(exp(logarithms / compared)) " on average of " compared ", from " \
            percent(ratio[best]) " (" best ") to " percent(ratio[worst]) " (" worst ")"
    else
        print figures + 0 " figures, with nothing to compare them with"
    print "\n| figure | " merge_base " | " commit " | change |\n| --- | ---: | ---: | ---: |"
    for (i = 1; i <= figures; i++)
        print "| " name[i] " | " base[name[i]] " | " head[name[i]] " | " \
            (name[i] in ratio ? percent(ratio[name[i]]) : "") " |"
}
