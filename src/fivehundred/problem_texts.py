"""What the safe answer says, in each language. Constant text only: nothing of a request or a failure comes here."""

from __future__ import annotations

from typing import Final

from fivehundred.record import record


@record(frozen=True, slots=True)
class Texts:
    """One language. ``titles`` and ``whats`` are keyed by status; 500 stands in for a status that is not there."""

    titles: dict[int, str]  # the status phrase, localised (RFC 9457 section 4.2.1 allows it for about:blank)
    whats: dict[int, str]  # what happened, in one sentence
    temporary: str
    permanent: str
    quote: str  # above the reference
    reference: str
    trace: str
    again: str  # the link of the page


texts: Final[dict[str, Texts]] = {
    "en": Texts(
        titles={
            500: "Internal Server Error",
            502: "Bad Gateway",
            503: "Service Unavailable",
            504: "Gateway Timeout",
            507: "Insufficient Storage",
        },
        whats={
            500: "An unexpected error occurred on the server. It is not your fault.",
            502: "A service that this server depends on did not give a valid answer.",
            503: "The server cannot handle this request at the moment.",
            504: "A service that this server depends on did not answer in time.",
            507: "The server has no room left to store what this request needs.",
        },
        temporary="This is temporary: please try again in a little while.",
        permanent="This is not temporary: the same request will probably fail again until the server is corrected.",
        quote="If you ask for help, give this reference:",
        reference="Reference",
        trace="Trace",
        again="Try again",
    ),
    "de": Texts(
        titles={
            500: "Interner Serverfehler",
            502: "Fehlerhaftes Gateway",
            503: "Dienst nicht verfügbar",
            504: "Zeitüberschreitung am Gateway",
            507: "Nicht genügend Speicherplatz",
        },
        whats={
            500: "Auf dem Server ist ein unerwarteter Fehler aufgetreten. Es liegt nicht an Ihnen.",
            502: "Ein Dienst, den dieser Server braucht, hat keine gültige Antwort gegeben.",
            503: "Der Server kann diese Anfrage zurzeit nicht bearbeiten.",
            504: "Ein Dienst, den dieser Server braucht, hat nicht rechtzeitig geantwortet.",
            507: "Dem Server fehlt der Platz, um diese Anfrage zu speichern.",
        },
        temporary="Das ist vorübergehend: Bitte versuchen Sie es in Kürze noch einmal.",
        permanent="Das ist nicht vorübergehend: Dieselbe Anfrage wird wohl wieder scheitern, "
        "bis der Server berichtigt ist.",
        quote="Wenn Sie um Hilfe bitten, nennen Sie diese Referenz:",
        reference="Referenz",
        trace="Trace",
        again="Erneut versuchen",
    ),
    "fr": Texts(
        titles={
            500: "Erreur interne du serveur",
            502: "Mauvaise passerelle",
            503: "Service indisponible",
            504: "Délai de la passerelle dépassé",
            507: "Espace de stockage insuffisant",
        },
        whats={
            500: "Une erreur inattendue s’est produite sur le serveur. Vous n’y êtes pour rien.",
            502: "Un service dont ce serveur dépend n’a pas donné de réponse valable.",
            503: "Le serveur ne peut pas traiter cette requête pour le moment.",
            504: "Un service dont ce serveur dépend n’a pas répondu à temps.",
            507: "Le serveur n’a plus la place d’enregistrer ce que cette requête demande.",
        },
        temporary="C’est temporaire : veuillez réessayer dans un moment.",
        permanent="Ce n’est pas temporaire : la même requête échouera sans doute encore "
        "tant que le serveur n’est pas corrigé.",
        quote="Si vous demandez de l’aide, donnez cette référence :",
        reference="Référence",
        trace="Trace",
        again="Réessayer",
    ),
    "es": Texts(
        titles={
            500: "Error interno del servidor",
            502: "Puerta de enlace incorrecta",
            503: "Servicio no disponible",
            504: "Tiempo de espera de la puerta de enlace agotado",
            507: "Almacenamiento insuficiente",
        },
        whats={
            500: "Se ha producido un error inesperado en el servidor. No es culpa suya.",
            502: "Un servicio del que depende este servidor no dio una respuesta válida.",
            503: "El servidor no puede atender esta solicitud en este momento.",
            504: "Un servicio del que depende este servidor no respondió a tiempo.",
            507: "El servidor no tiene espacio para guardar lo que esta solicitud necesita.",
        },
        temporary="Es temporal: vuelva a intentarlo dentro de un momento.",
        permanent="No es temporal: la misma solicitud probablemente volverá a fallar hasta que se corrija el servidor.",
        quote="Si pide ayuda, indique esta referencia:",
        reference="Referencia",
        trace="Traza",
        again="Reintentar",
    ),
    "ja": Texts(
        titles={
            500: "サーバー内部エラー",
            502: "不正なゲートウェイ",
            503: "サービス利用不可",
            504: "ゲートウェイタイムアウト",
            507: "保存容量不足",
        },
        whats={
            500: "サーバーで予期しないエラーが発生しました。お客様の操作が原因ではありません。",
            502: "このサーバーが利用しているサービスから正しい応答がありませんでした。",
            503: "サーバーは現在このリクエストを処理できません。",
            504: "このサーバーが利用しているサービスから時間内に応答がありませんでした。",
            507: "サーバーにこのリクエストを保存する空き容量がありません。",
        },
        temporary="一時的な問題です。しばらくしてからもう一度お試しください。",
        permanent="一時的な問題ではありません。サーバーが修正されるまで、同じリクエストは再び失敗する可能性があります。",
        quote="お問い合わせの際は、この参照番号をお知らせください。",
        reference="参照番号",
        trace="トレース",
        again="再試行",
    ),
    "zh": Texts(
        titles={
            500: "服务器内部错误",
            502: "网关错误",
            503: "服务不可用",
            504: "网关超时",
            507: "存储空间不足",
        },
        whats={
            500: "服务器发生了意外错误,这不是您的问题。",
            502: "此服务器所依赖的服务没有给出有效的响应。",
            503: "服务器目前无法处理此请求。",
            504: "此服务器所依赖的服务没有及时响应。",
            507: "服务器没有足够的空间来存储此请求所需的内容。",
        },
        temporary="这是暂时的,请稍后再试。",
        permanent="这不是暂时的:在服务器修复之前,同样的请求很可能再次失败。",
        quote="如需帮助,请提供此参考编号:",
        reference="参考编号",
        trace="跟踪",
        again="重试",
    ),
}

# The phrase of RFC 9110 and 4918 for the member ``error``, which programs compare: never localised
phrases: Final = {
    **texts["en"].titles,
    400: "Bad Request",  # for a client that is gone: nobody reads it
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates",
    508: "Loop Detected",
    510: "Not Extended",
    511: "Network Authentication Required",
}

style: Final = """
:root{color-scheme:light dark;--ground:#f6f5f2;--card:#fff;--ink:#1d1c1a;--soft:#5c5952;--line:#dedbd3;--mark:#b3261e;--field:#f3f1ec}
@media(prefers-color-scheme:dark){:root{--ground:#151513;--card:#1f1e1c;--ink:#f1efea;--soft:#b1ada3;--line:#3a3833;--mark:#ff8f82;--field:#292825}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:24px 16px;background:var(--ground);color:var(--ink);font:17px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{width:100%;max-width:600px;background:var(--card);border:1px solid var(--line);border-top:4px solid var(--mark);border-radius:10px;padding:36px 40px 32px}
.status{margin:0 0 4px;color:var(--mark);font-weight:700;font-variant-numeric:tabular-nums;letter-spacing:.06em}
h1{margin:0 0 16px;font-size:1.75rem;line-height:1.2;letter-spacing:-.01em;overflow-wrap:break-word}
p{margin:0 0 12px;text-wrap:pretty}
.quote{margin:28px 0 8px;padding-top:20px;border-top:1px solid var(--line);color:var(--soft);font-size:.94rem}
dl{margin:0;display:grid;gap:8px}
dt{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
dd{margin:0;padding:10px 14px;border:1px solid var(--line);border-radius:6px;background:var(--field);font:600 .94rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;overflow-wrap:anywhere;-webkit-user-select:all;user-select:all}
dt.shown{position:static;width:auto;height:auto;clip-path:none;color:var(--soft);font-size:.82rem;margin-bottom:-4px}
a{display:inline-block;margin:8px 0 0;padding:9px 18px;border-radius:6px;background:var(--ink);color:var(--card);font-weight:600;text-decoration:none}
a:hover{text-decoration:underline}
a:focus-visible{outline:3px solid var(--mark);outline-offset:3px}
@media(max-width:480px){main{padding:26px 22px 24px}h1{font-size:1.45rem}dd{padding:10px 8px;font-size:.8rem;text-align:center}}
"""  # noqa: E501
