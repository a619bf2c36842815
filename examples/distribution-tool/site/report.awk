BEGIN { FS = "," }
{ if (!($1 in sums)) names[++count] = $1; sums[$1] += $2 }
END { for (i = 1; i <= count; i++) print names[i], sums[names[i]], ENVIRON["CURRENCY"] }
