// PageScript: the script of the page. It asks for /status each second, makes rates of what has
// grown since the answer before, and writes them into the page as text, never as markup. The places
// of figures are made once and then filled, so that a selection or a reader's place is not lost.

/// The script, in two parts: figures, and their places in the page.
enum PageScript {
    static let text = figures + places + asking

    /// Numbers as text, and rates of growing ones.
    private static let figures = #"""
        "use strict";
        const KEPT = 121;
        const scaled = (value, step, units) => {
            let unit = 0;
            while (value >= step * 0.9995 && unit < units.length - 1) { value /= step; unit++; }
            const digits = unit == 0 && Number.isInteger(value) ? 0 : value < 9.995 ? 2
                : value < 99.95 ? 1 : 0;
            return value.toFixed(digits) + units[unit];
        };
        const count = (value) => Math.round(value).toLocaleString("en");
        const perSecond = (value) => scaled(value, 1000, ["/s", " k/s", " M/s", " G/s"]);
        const bytes = (value) => scaled(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]);
        const bytesPerSecond = (value) => bytes(value) + "/s";
        const percent = (value) => (value * 100).toFixed(1) + " %";
        const span = (seconds) => {
            const [d, h, m, s] = [seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60,
                seconds % 60].map(Math.floor);
            return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`;
        };
        // How fast a count has grown between two answers; null where there is no answer before, or
        // where another process answers now.
        const rate = (now, before, read) => {
            if (!before || before.started_at_seconds != now.started_at_seconds) return null;
            const seconds = now.read_at_seconds - before.read_at_seconds;
            const [value, past] = [read(now), read(before)];
            return seconds > 0 && past !== undefined ? Math.max(0, value - past) / seconds : null;
        };
        const total = (name) => (status) =>
            status.services.reduce((sum, service) => sum + service.counters[name], 0);
        const worker = (service, number, name) => (status) => status.services
            .find((one) => one.name == service)?.workers.find((one) => one.number == number)
            ?.counters[name];
        const HEADLINES = [
            ["Open connections", count, (now) => now.connections],
            ["Accepts", perSecond, (now, before) => rate(now, before, total("accepted"))],
            ["Messages", perSecond, (now, before) => rate(now, before, total("receives"))],
            ["In", bytesPerSecond, (now, before) => rate(now, before, total("bytes_received"))],
            ["Out", bytesPerSecond, (now, before) => rate(now, before, total("bytes_sent"))],
            ["CPU", percent, (now, before) => now.process ? rate(now, before,
                (status) => status.process?.cpu_seconds) : null],
        ];
        const RATES = [["Accepts", "accepted", perSecond], ["Messages", "receives", perSecond],
            ["In", "bytes_received", bytesPerSecond], ["Out", "bytes_sent", bytesPerSecond],
            ["Turns", "turns", perSecond]];
        const ALARMS = [["Starved", "starved"], ["Throttled", "throttled"],
            ["Accept failures", "accept_failures"], ["Refused", "refused"],
            ["Dropped records", "records_dropped"]];
        const shown = (value, write) => value === null || value === undefined ? "\u2013"
            : write(value);

        """#

    /// Elements of the page, each made when it is first filled.
    private static let places = #"""
        const main = document.querySelector("main");
        const make = (parent, name, attributes = {}, text = "") => {
            const space = name == "svg" || name == "polyline" || name == "line"
                ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
            const element = document.createElementNS(space, name);
            for (const key in attributes) element.setAttribute(key, attributes[key]);
            element.textContent = text;
            return parent.appendChild(element);
        };
        const write = (element, text) => {
            if (element.textContent !== text) element.textContent = text;
        };
        const headlines = (() => {
            const list = make(main, "dl");
            make(main, "p", {class: "soft"}, "Curves and peaks: the last two minutes.");
            return HEADLINES.map(([name, format, read]) => {
                const item = make(list, "div");
                make(item, "dt", {}, name);
                const place = make(item, "dd");
                const value = make(place, "b", {}, "\u2013");
                const drawing = make(place, "svg", {viewBox: "0 0 120 30", "aria-hidden": "true",
                    preserveAspectRatio: "none"});
                make(drawing, "line", {x1: 0, x2: 120, y1: 29, y2: 29});
                const curve = make(drawing, "polyline");
                const most = make(place, "small", {class: "soft"});
                return {format, read, value, curve, most, points: []};
            });
        })();
        const draw = (headline) => {
            const known = headline.points.filter((point) => point !== null);
            const most = Math.max(...known, 0);
            const begin = KEPT - headline.points.length;
            headline.curve.setAttribute("points", headline.points.map((point, index) =>
                point === null ? "" : `${begin + index},${29 - 27 * (most ? point / most : 0)}`)
                .join(" ").trim());
            write(headline.most, known.length > 1 ? "peak " + headline.format(most) : "");
        };
        const tables = new Map();
        // A table is made anew only where its rows or columns are others.
        const fill = (section, caption, columns, rows) => {
            const shape = JSON.stringify([columns, rows.map((row) => row[0])]);
            const name = section.id + caption;
            let table = tables.get(name);
            if (!table || table.shape != shape) {
                const old = table?.box;
                const box = make(section, "div", {class: "scroll", tabindex: "0", role: "region",
                    "aria-label": caption});
                if (old) old.replaceWith(box);
                const element = make(box, "table");
                make(element, "caption", {}, caption);
                const head = make(make(element, "thead"), "tr");
                for (const column of columns) make(head, "th", {scope: "col"}, column);
                const body = make(element, "tbody");
                const cells = rows.map(([title, , isAlarm]) => {
                    const row = make(body, "tr", isAlarm ? {class: "alarm"} : {});
                    make(row, "th", {scope: "row"}, title);
                    return columns.slice(1).map(() => make(row, "td"));
                });
                table = {shape, box, cells};
                tables.set(name, table);
            }
            rows.forEach(([, values], row) => values.forEach((value, column) => {
                const cell = table.cells[row][column];
                write(cell, value);
                cell.classList.toggle("nonzero", value != "0");
            }));
        };
        const sections = new Map();
        const sectionOf = (service) => {
            let entry = sections.get(service.name);
            if (!entry) {
                const section = make(main, "section", {id: "service-" + sections.size});
                make(section, "h2", {}, service.name);
                entry = {section, where: make(section, "p", {class: "soft"})};
                sections.set(service.name, entry);
            }
            return entry;
        };
        const showService = (service, now, before) => {
            const {section, where} = sectionOf(service);
            write(where, `${service.kind} on ${service.addresses.join(", ")}`);
            const all = service.workers;
            const each = (read) => all.map(read);
            fill(section, "Workers", ["", ...each((one) => `Worker ${one.number}`)], [
                ["Backend", each((one) => one.backend)],
                ["Connections", each((one) =>
                    `${count(one.connections)} of ${count(one.connections_max)}`)],
                ["Accepting", each((one) => one.accept_pause ?? "yes")],
                ...RATES.map(([title, name, format]) => [title, each((one) =>
                    shown(rate(now, before, worker(service.name, one.number, name)), format))]),
                ["Buffers free", each((one) =>
                    `${count(one.buffers_free)} of ${count(one.buffers)}`)],
                ...ALARMS.map(([title, name]) =>
                    [title, each((one) => count(one.counters[name])), true]),
            ]);
            if (service.upstreams.length) {
                fill(section, "Upstreams", ["", "State", "Connections",
                    ...Object.keys(service.upstreams[0].counts).sort()
                        .map((name) => name.replaceAll("_", " "))],
                    service.upstreams.map((one) => [one.target, [one.up ? "up" : "down",
                        count(one.connections), ...Object.keys(one.counts).sort()
                            .map((name) => count(one.counts[name]))]]));
            }
            const ends = Object.entries(service.ends)
                .filter(([, end]) => end.delivered + end.undelivered > 0);
            if (ends.length) {
                fill(section, "Ended connections", ["", "All delivered", "Bytes left"],
                    ends.map(([name, end]) => [name.replaceAll("_", " "),
                        [count(end.delivered), count(end.undelivered)]]));
            }
        };

        """#

    /// The round of each second.
    private static let asking = #"""
        const about = document.getElementById("about");
        const state = document.getElementById("state");
        const say = (mood, text) => {
            state.className = mood;
            write(state, text);
            document.title = (mood == "good" ? "" : "! ") + "ringback";
        };
        const show = (now, before) => {
            const parts = ["version " + now.version + (now.commit ? ` (${now.commit})` : ""),
                "up " + span(Math.max(0, now.read_at_seconds - now.started_at_seconds))];
            if (now.process) {
                parts.push(bytes(now.process.resident_bytes) + " in memory",
                    `${count(now.process.open_descriptors)} of `
                    + `${count(now.process.descriptors_max)} descriptors`,
                    now.process.threads + " threads");
            }
            write(about, parts.join(" \u00b7 "));
            if (now.state == "draining") {
                say("wait", `Draining: accepts no more, and ends when ${count(
                    now.draining_connections)} connections have finished.`);
            } else if (now.state == "starting") {
                say("wait", "Starting: does not accept yet.");
            } else if (now.services.some((one) => one.workers.some((any) => any.accept_pause))) {
                say("bad", "Serving, but a worker does not accept; see the row Accepting.");
            } else {
                say("good", "Serving.");
            }
            for (const headline of headlines) {
                const value = headline.read(now, before);
                headline.points = [...headline.points, value].slice(-KEPT);
                write(headline.value, shown(value, headline.format));
                draw(headline);
            }
            for (const [name, entry] of sections) {
                entry.section.hidden = !now.services.some((service) => service.name == name);
            }
            for (const service of now.services) showService(service, now, before);
        };
        let before = null;
        let lastSeen = null;
        const ask = async () => {
            const patience = AbortSignal.timeout(3000);
            try {
                const response = await fetch("status", {signal: patience, cache: "no-store"});
                if (response.ok) {
                    const now = await response.json();
                    show(now, before);
                    before = now;
                    lastSeen = Date.now();
                } else {
                    say("bad", "The server does not say how it is: " + await response.text());
                    before = null;
                }
            } catch {
                const since = lastSeen === null ? "" : " The figures are those of "
                    + new Date(lastSeen).toLocaleTimeString() + ".";
                say("bad", "The server does not answer any more." + since);
                before = null;
            }
            setTimeout(ask, 1000);
        };
        ask();
        """#
}
