// Stylesheet: how a page looks. Colours are named once for light and once for dark; curves differ
// in their dashes too, for those who do not tell the colours apart, and for printers that have
// none.

/// The style of every page.
enum Stylesheet {
    static let text = colours + layout + figures + narrowAndPrinted

    private static let colours = """
        :root{color-scheme:light dark;--paper:#fff;--ink:#171b22;--soft:#58616f;--rule:#d5dae1;
        --grid:#e9ecf0;--wash:#f5f7f9;--good:#12703a;--good-wash:#eaf6ee;--bad:#b3131d;
        --bad-wash:#fdecec;--c0:#0b5fc4;--c1:#c2500a;--c2:#0a7d6d;--c3:#7b3fb5;--c4:#8a6d00;
        --c5:#6b7480;--bg:var(--paper)}
        @media screen and (prefers-color-scheme:dark){:root{--paper:#10141a;--ink:#e5e9ef;
        --soft:#9ba6b4;--rule:#333c48;--grid:#222a34;--wash:#181e26;--good:#58cf86;
        --good-wash:#12261b;--bad:#ff7b7b;--bad-wash:#331719;--c0:#68adff;--c1:#ff9a56;
        --c2:#45cdb5;--c3:#c69bff;--c4:#e0be4a;--c5:#8c97a5}}
        .s0{--c:var(--c0)}.s1{--c:var(--c1);--dash:7 4}.s2{--c:var(--c2);--dash:2 3}
        .s3{--c:var(--c3);--dash:10 3 2 3}.s4{--c:var(--c4);--dash:4 2}.s5{--c:var(--c5);--dash:1 3}
        .own{--c:var(--ink);--dash:none}
        .solid{--dash:none}

        """

    private static let layout = """
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%}
        body{margin:0 auto;padding:clamp(16px,4vw,44px);max-width:1100px;background:var(--paper);
        color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",
        sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
        header p,footer,.soft{color:var(--soft)}
        h1{font-size:clamp(22px,4vw,30px);line-height:1.2;letter-spacing:-.015em;margin:0 0 6px;
        font-weight:650}
        h2{font-size:18px;line-height:1.3;margin:44px 0 14px;padding-top:14px;
        border-top:1px solid var(--rule);font-weight:650}
        p{margin:0 0 6px;max-width:76ch}
        .kind{font-size:13px;letter-spacing:.04em;margin:0 0 10px}
        .verdict{margin:22px 0 0;padding:12px 16px;border-left:4px solid var(--good);
        background:var(--good-wash);border-radius:0 6px 6px 0}
        .verdict strong{color:var(--good)}
        .verdict.bad{border-color:var(--bad);background:var(--bad-wash)}
        .verdict.bad strong{color:var(--bad)}
        .verdict p{margin:0;max-width:none}
        .verdict ul{margin:6px 0 0;padding-left:18px}
        .headline{display:grid;grid-template-columns:repeat(auto-fit,minmax(144px,1fr));
        gap:18px 20px;margin:26px 0 0}
        .headline dt{font-size:13px;color:var(--soft)}
        .headline dd{margin:0}
        .headline .value{display:block;font-size:27px;line-height:1.2;font-weight:620;
        letter-spacing:-.02em;overflow-wrap:normal}
        .headline .value.bad{color:var(--bad)}.headline .value.good{color:var(--good)}
        .headline small{font-size:13px;color:var(--soft);display:block}
        .pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));
        gap:18px 36px}
        .pair.narrow{gap:24px 28px;
        grid-template-columns:repeat(auto-fit,minmax(min(100%,230px),1fr))}
        .pair>*{min-width:0}
        table{border-collapse:collapse;width:100%;font-size:14px;line-height:1.4}
        caption{text-align:left;font-weight:600;padding:0 0 6px}
        th,td{padding:5px 0 5px 18px;text-align:right;border-top:1px solid var(--grid);
        vertical-align:top;font-weight:400}
        th:first-child{text-align:left;padding-left:0}
        thead th{color:var(--soft);border-top:0;vertical-align:bottom}
        tbody tr:first-child>*{border-top:1px solid var(--rule)}
        .scroll{overflow-x:auto;margin:14px 0 0}
        .scroll td,.scroll th{white-space:nowrap}
        .scroll .words{white-space:normal;min-width:15em;text-align:left}
        .facts{align-self:start}
        .facts th{color:var(--soft);width:44%;overflow-wrap:normal}
        .narrow .facts th{width:62%}
        pre+.pair{margin-top:26px}.scroll+p{margin-top:12px}.pair+.scroll{margin-top:28px}
        .facts td{text-align:left;padding-left:14px}
        td.bad{color:var(--bad)}
        pre{margin:0;padding:12px 14px;background:var(--wash);border:1px solid var(--rule);
        border-radius:6px;white-space:pre-wrap;font:13px/1.55 ui-monospace,"SF Mono",Menlo,Consolas,
        "DejaVu Sans Mono",monospace;user-select:all}
        footer{margin-top:44px;padding-top:14px;border-top:1px solid var(--rule);font-size:13px}

        """

    private static let figures = """
        .plot{margin:20px 0 14px}
        figcaption{display:flex;flex-wrap:wrap;gap:2px 22px;align-items:baseline;font-size:14px}
        .legend{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;margin:0;padding:0;
        color:var(--soft)}
        .legend li{display:flex;align-items:center;gap:7px}
        .stroke{width:24px;height:0;border-top:2.5px solid var(--c)}
        .stroke.s1,.stroke.s3,.stroke.s4{border-top-style:dashed}
        .stroke.s2,.stroke.s5{border-top-style:dotted}
        .stroke.solid{border-top-style:solid}
        .dot{width:9px;height:9px;border-radius:50%;background:var(--c)}
        .titles{display:flex;justify-content:space-between;font-size:12px;color:var(--soft);
        margin:2px 18px 8px 0}
        .frame{display:grid;grid-template:clamp(190px,30vw,270px) 22px/62px minmax(0,1fr);
        margin-right:18px}
        .x{grid-column:2}
        .area,.x,.y{position:relative}
        .area svg{position:absolute;width:100%;height:100%;overflow:visible}
        .x span,.y span{position:absolute;font-size:12px;line-height:16px;color:var(--soft);
        white-space:nowrap}
        .y span{right:9px;transform:translateY(-50%)}
        .x span{top:6px;transform:translateX(-50%)}
        svg path{vector-effect:non-scaling-stroke;fill:none}
        .grid{stroke:var(--grid);stroke-width:1px}
        .line{stroke:var(--c);stroke-width:2px;stroke-dasharray:var(--dash,none);
        stroke-linejoin:round}
        .tint{fill:var(--c)!important;opacity:.1}
        .dots,.ring{stroke:var(--c);stroke-width:7px;stroke-linecap:round}
        .ring{stroke-width:12px}
        .mark{stroke:var(--c);stroke-width:1.3px;stroke-dasharray:5 4}
        .label{position:absolute;transform:translate(8px,calc(-100% - 5px));font-size:12px;
        line-height:15px;font-weight:600;white-space:nowrap;padding:0 3px;border-radius:3px;
        background:color-mix(in srgb,var(--bg) 84%,transparent)}
        .label.before{transform:translate(calc(-100% - 8px),calc(-100% - 5px))}
        .label.below{transform:translate(8px,5px)}
        .label.before.below{transform:translate(calc(-100% - 8px),5px)}
        .middle{stroke:var(--soft);stroke-width:1px}
        .ratio{display:block;width:150px;height:20px;margin-left:auto}

        """

    private static let narrowAndPrinted = """
        @media (max-width:600px){.optional{display:none}
        .frame{grid-template-columns:52px minmax(0,1fr);margin-right:12px}
        .headline{gap:14px;grid-template-columns:repeat(auto-fit,minmax(120px,1fr))}
        .headline .value{font-size:22px}
        h2{margin-top:34px}}
        @media print{body{max-width:none;padding:0;font-size:12px}
        figure,table,.verdict,.headline,pre{break-inside:avoid}h2{break-after:avoid}
        .scroll{overflow:visible}
        *{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
        """
}
