def sub(p, *prs):
    s = open(p).read()
    for a, b in prs:
        if a not in s:
            print("MISSING", p, repr(a[:90]))
            continue
        s = s.replace(a, b)
    open(p, "w").write(s)
