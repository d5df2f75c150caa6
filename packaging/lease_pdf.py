"""Writes lease.pdf, a tenancy agreement of two pages (needs reportlab).

python packaging/lease_pdf.py
"""

from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate

TITLE = "Residential Lease Agreement"

# Each page is a list of sections: heading and paragraphs.
PAGES: list[list[tuple[str, list[str]]]] = [
    [
        (
            "1. Parties and property",
            [
                "This agreement is made on 14 August 2025 between Helen Marchetti (the landlord) and Samuel Adeyemi "
                "(the tenant).",
                "The landlord lets to the tenant the two-bedroom apartment on the third floor of 48 Larkspur Avenue, "
                "Millbridge, together with cellar room 7. The apartment measures 68 square metres. A parking space is "
                "not included.",
            ],
        ),
        (
            "2. Term",
            [
                "The lease begins on 1 October 2025 and runs for eighteen months. After that it continues from month "
                "to month until either side ends it.",
                "To end the lease, the landlord or the tenant must give two months' notice in writing. The keys are "
                "handed over at the apartment at 10 am on the first day of the lease.",
            ],
        ),
        (
            "3. Rent and charges",
            [
                "The monthly rent is $1,340. It is due on the third day of each month and is paid by bank transfer to "
                "the landlord's account at Millbridge Savings Bank.",
                "The rent includes water, waste collection and the cleaning of the stairs. Electricity, gas and "
                "internet are not included; the tenant makes his own contracts for them.",
                "If the rent is more than five days late, the landlord may charge a late fee of $45. The rent may be "
                "raised once a year, by no more than three percent.",
            ],
        ),
        (
            "4. Deposit",
            [
                "Before moving in, the tenant pays a deposit of $2,680. The landlord keeps it in a separate account "
                "and returns it within 30 days of the end of the lease, less the cost of any damage.",
                "Marks of normal use, such as small nail holes and worn carpets, are not damage.",
            ],
        ),
    ],
    [
        (
            "5. Use of the apartment",
            [
                "The apartment is for living only. No more than three people may live there. The tenant may not sublet "
                "it or rent it to holiday guests.",
                "One cat is allowed. Dogs need the written permission of the landlord. Smoking is not permitted "
                "anywhere in the building, the balcony included.",
                "Quiet hours are from 10 pm to 7 am. The laundry room in the basement may be used on Tuesdays and "
                "Saturdays. Bicycles belong in the shed behind the house, never in the hallway.",
            ],
        ),
        (
            "6. Repairs",
            [
                "The landlord pays for repairs to the roof, the walls, the heating and the kitchen appliances. The "
                "tenant pays for small repairs up to $80 each, such as light switches and tap washers.",
                "The boiler is serviced every September by Northgate Heating. The tenant must let the technician in.",
                "Faults are reported to the caretaker, Mr. Tomas Lindqvist, on 555-0187. In an emergency outside "
                "working hours, call the building manager, Alder Property Services.",
            ],
        ),
        (
            "7. Access and insurance",
            [
                "The landlord may enter the apartment after giving 24 hours' notice, and at any time in an emergency.",
                "The tenant takes out contents insurance and sends the landlord a copy of the policy within the first "
                "month.",
            ],
        ),
        (
            "8. End of the lease",
            [
                "On the last day the tenant hands back four keys, two for the front door and two for the apartment. A "
                "lost key costs $25.",
                "The walls must be white when the tenant leaves. If they have been painted in another colour, the "
                "tenant paints them again.",
                "Any change to this agreement must be made in writing and signed by both sides.",
                "Signed in Millbridge by Helen Marchetti and Samuel Adeyemi.",
            ],
        ),
    ],
]

if __name__ == "__main__":
    styles = getSampleStyleSheet()
    flow: list[Flowable] = [Paragraph(TITLE, styles["Title"])]
    for number, sections in enumerate(PAGES):
        if number:
            flow.append(PageBreak())
        for heading, paragraphs in sections:
            flow.append(Paragraph(heading, styles["Heading2"]))
            flow += [Paragraph(text, styles["BodyText"]) for text in paragraphs]
    path = Path(__file__).parents[1] / "thoth" / "examples" / "lease.pdf"
    margins = {f"{side}Margin": 2.5 * cm for side in ("left", "right", "top", "bottom")}
    SimpleDocTemplate(str(path), pagesize=A4, invariant=1, title=TITLE, **margins).build(flow)
