// What is in force, written out: as a file that brings it about again, with the origin of each
// setting in a comment, and as JSON.

import FoundationEssentials

extension EffectiveConfiguration {
    /// A file that has the same effect. Options that nobody has set, and that have no default, are
    /// in it as comments.
    public var yaml: String {
        var lines = process.flatMap { $0.yaml(indentation: "") }
        lines.append("services:")
        for service in services {
            lines.append("  \(service.name.asYAML):")
            lines.append("    type: \(service.type.name)")
            lines += service.settings.flatMap { $0.yaml(indentation: "    ") }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The same as JSON: `process` and `services`, each setting with `value` and `origin`.
    public var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let written = WrittenConfiguration(
            process: process.written,
            services: services.map {
                WrittenService(name: $0.name, type: $0.type.name, settings: $0.settings.written)
            }
        )
        // Text and truth values have no form that JSON lacks.
        let data = (try? encoder.encode(written)) ?? Data()
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}

extension Setting {
    /// Its lines in a file.
    fileprivate func yaml(indentation: String) -> [String] {
        let comment = "  # \(origin)".inOneLine
        guard !values.isEmpty else {
            return option.isShown ? ["\(indentation)# \(option.name): not set"] : []
        }
        guard option.repeats else {
            let text = option.kind == .value ? values[0].asYAML : values[0]
            return ["\(indentation)\(option.name): \(text)\(comment)"]
        }
        return ["\(indentation)\(option.name):\(comment)"]
            + values.map { "\(indentation)  - \($0.asYAML)" }
    }
}

extension String {
    /// The text as a YAML scalar: a word where that cannot be misread, otherwise in quotes.
    fileprivate var asYAML: String {
        let isWord =
            wholeMatch(of: /[A-Za-z0-9\/][A-Za-z0-9.,:\/_=@%+\-]*/) != nil && !hasSuffix(":")
        let words = ["null", "true", "false", "yes", "no"]
        if isWord, !words.contains(lowercased()) { return self }
        let escaped = unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            default:
                guard scalar.isControl else { return text.unicodeScalars.append(scalar) }
                let digits = String(scalar.value, radix: 16)
                text += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
            }
        }
        return "\"\(escaped)\""
    }
}

// ---- JSON ----

extension [Setting] {
    /// By their names. What nobody has set, and has no default, is null.
    fileprivate var written: [String: WrittenSetting] {
        let shown = filter { $0.option.isShown || !$0.values.isEmpty }
        let pairs = shown.map { setting in
            (setting.option.name, WrittenSetting(setting))
        }
        return Dictionary(pairs) { first, _ in first }
    }
}

private struct WrittenConfiguration: Encodable {
    let process: [String: WrittenSetting]
    /// A list, since their order is the file's.
    let services: [WrittenService]
}

private struct WrittenService: Encodable {
    let name: String
    let type: String
    let settings: [String: WrittenSetting]
}

private struct WrittenSetting: Encodable {
    let setting: Setting

    init(_ setting: Setting) { self.setting = setting }

    private enum Key: CodingKey {
        case value
        case origin
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(setting.origin.description, forKey: .origin)
        if setting.option.repeats {
            try container.encode(setting.values, forKey: .value)
        } else if setting.option.kind != .value {
            try container.encode(setting.values == ["true"], forKey: .value)
        } else {
            try container.encode(setting.values.first, forKey: .value)
        }
    }
}
