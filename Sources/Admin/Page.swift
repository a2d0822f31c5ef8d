// Page: what a process does, for people: one page that asks for /status each second and shows
// rates. It loads nothing else, and its policy forbids it to. Figures are in tables with headers,
// so that they are read out with their names; what changes each second is not announced, what
// matters is.

/// The page at /.
enum Page {
    /// The page, with a policy that allows its own script and style by a number of this answer.
    static func answer() -> Answer {
        var generator = SystemRandomNumberGenerator()
        let nonce = "\(generator.next())-\(generator.next())"
        let policy = [
            "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'",
            "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
            "frame-ancestors 'self'",
        ]
        return Answer(
            status: .ok,
            contentType: "text/html; charset=utf-8",
            headers: [
                ("Content-Security-Policy", policy.joined(separator: "; ")),
                ("Referrer-Policy", "no-referrer"),
            ],
            body: text(nonce: nonce)
        )
    }

    private static func text(nonce: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>ringback</title>
        <link rel="icon" href="data:,">
        <style nonce="\(nonce)">
        \(style)
        </style>
        </head>
        <body>
        <header>
        <h1>ringback</h1>
        <p id="about">Asking for /status.</p>
        </header>
        <p id="state" role="status" class="wait">Waiting for the first answer.</p>
        <noscript><p>This page needs JavaScript. <a href="/status">/status</a> says the same.</p>
        </noscript>
        <main></main>
        <footer><nav aria-label="The same for machines"><a href="/metrics">/metrics</a>
        <a href="/status">/status</a> <a href="/healthz">/healthz</a>
        <a href="/readyz">/readyz</a></nav></footer>
        <script nonce="\(nonce)">
        \(PageScript.text)
        </script>
        </body>
        </html>

        """
    }

    private static let style = """
        :root{color-scheme:light dark;--paper:#fff;--ink:#171b22;--soft:#58616f;--rule:#d5dae1;
        --grid:#e9ecf0;--good:#12703a;--good-wash:#eaf6ee;--bad:#b3131d;--bad-wash:#fdecec;
        --wait:#805600;--wait-wash:#fdf4e0;--curve:#0b5fc4}
        @media (prefers-color-scheme:dark){:root{--paper:#10141a;--ink:#e5e9ef;--soft:#9ba6b4;
        --rule:#333c48;--grid:#222a34;--good:#58cf86;--good-wash:#12261b;--bad:#ff7b7b;
        --bad-wash:#331719;--wait:#e0be4a;--wait-wash:#2b2411;--curve:#68adff}}
        *{box-sizing:border-box}
        body{margin:0 auto;padding:clamp(16px,4vw,44px);max-width:1100px;background:var(--paper);
        color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",
        sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
        h1{font-size:clamp(22px,4vw,30px);line-height:1.2;margin:0 0 6px;font-weight:650}
        h2{font-size:18px;margin:44px 0 4px;padding-top:14px;border-top:1px solid var(--rule)}
        p{margin:0 0 6px}header p,.soft,footer{color:var(--soft)}
        a{color:inherit}
        #state{margin:18px 0 0;padding:10px 16px;border-left:4px solid;border-radius:0 6px 6px 0;
        font-weight:600}
        .good{color:var(--good);background:var(--good-wash)}
        .bad{color:var(--bad);background:var(--bad-wash)}
        .wait{color:var(--wait);background:var(--wait-wash)}
        dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:18px 16px;
        margin:20px 0 0}
        dt{font-size:13px;color:var(--soft)}dd{margin:0}
        dd b{display:block;font-size:22px;line-height:1.3;font-weight:620;overflow-wrap:normal}
        dl+p{margin-top:10px;font-size:13px}
        svg{display:block;width:100%;height:34px;margin-top:4px}
        polyline{fill:none;stroke:var(--curve);stroke-width:1.6;vector-effect:non-scaling-stroke;
        stroke-linejoin:round}
        line{stroke:var(--rule);vector-effect:non-scaling-stroke}
        .scroll{overflow-x:auto;margin:22px 0 0}
        .scroll:focus-visible,a:focus-visible{outline:2px solid var(--curve);outline-offset:2px}
        table{border-collapse:collapse;font-size:14px;line-height:1.4;min-width:50%}
        caption{text-align:left;font-weight:600;padding:0 0 6px}
        th,td{padding:4px 0 4px 28px;text-align:right;border-top:1px solid var(--grid);
        white-space:nowrap;font-weight:400}
        th:first-child{text-align:left;padding-left:0}
        thead th{color:var(--soft);border-top:0}
        tr.alarm td.nonzero{color:var(--bad);font-weight:600}
        footer{margin-top:44px;padding-top:14px;border-top:1px solid var(--rule);font-size:13px}
        footer a{margin-right:14px}
        """
}
